/** Which files are read and where their results go; everything that can be wrong is said first. */
import { constants } from 'node:fs';
import { access, readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, parse, resolve } from 'node:path';
import { InputError, reasonOf } from './errors.ts';
import { READABLE } from './image-file.ts';
import { WRITABLE } from './image-output.ts';

export interface Job {
  readonly input: string;
  readonly output: string;
}

/**
 * Pairs inputs with outputs. A folder stands for the images in it (not in its subfolders). Several
 * inputs or a folder need a folder as output, which is created once there is something to write.
 */
export async function planJobs(inputs: readonly string[], output: string): Promise<Job[]> {
  const { files, many } = await listFiles(inputs);
  const isFolder = await stat(output).then(
    (info) => info.isDirectory(),
    () => extname(output) === '' || /[/\\]$/.test(output),
  );
  if (many && !isFolder) {
    throw new InputError(
      `-o ${output} is one file, but there are several inputs; give a folder as -o`,
    );
  }
  if (!isFolder) expectExtension('-o', output, WRITABLE);
  await expectWritableFolder(isFolder ? output : dirname(output));
  const jobs = files.map((input) => ({
    input,
    output: isFolder ? join(output, `${parse(input).name}.png`) : output,
  }));
  await checkCollisions(jobs);
  return jobs;
}

async function listFiles(inputs: readonly string[]): Promise<{ files: string[]; many: boolean }> {
  const files: string[] = [];
  let many = inputs.length > 1;
  for (const input of inputs) {
    const info = await stat(input).catch((cause: unknown) => {
      throw new InputError(`cannot read ${input}: ${reasonOf(cause)}`, { cause });
    });
    if (!info.isDirectory()) {
      files.push(input);
      continue;
    }
    many = true;
    const names = await readdir(input).catch((cause: unknown) => {
      throw new InputError(`cannot list folder ${input}: ${reasonOf(cause)}`, { cause });
    });
    const images = names.filter(isReadable).toSorted();
    if (images.length === 0) {
      throw new InputError(
        `folder ${input} has no image in it, expected files that end in ${READABLE.join(', ')}`,
      );
    }
    files.push(...images.map((name) => join(input, name)));
  }
  return { files, many };
}

const isReadable = (name: string): boolean =>
  !basename(name).startsWith('.') && READABLE.some((ext) => ext === extname(name).toLowerCase());

export function expectExtension(flag: string, file: string, known: readonly string[]): void {
  const extension = extname(file).toLowerCase();
  if (known.includes(extension)) return;
  const got = extension === '' ? 'no extension' : `the extension ${extension}`;
  throw new InputError(`${flag} ${file} has ${got}, expected ${known.join(', ')}`);
}

/** Files can be made in `folder`, or in the nearest folder above it that exists. */
export async function expectWritableFolder(folder: string): Promise<void> {
  let existing = resolve(folder);
  let info = await stat(existing).catch(() => undefined);
  while (!info && existing !== dirname(existing)) {
    existing = dirname(existing);
    info = await stat(existing).catch(() => undefined);
  }
  if (info && !info.isDirectory()) {
    throw new InputError(
      `cannot write to folder ${folder}: ${existing} is a file, not a folder; give another place`,
    );
  }
  await access(existing, constants.W_OK | constants.X_OK).catch((cause: unknown) => {
    throw new InputError(
      `cannot write to folder ${existing}: ${reasonOf(cause)}; give another place`,
      { cause },
    );
  });
}

async function checkCollisions(jobs: readonly Job[]): Promise<void> {
  const taken = new Map<string, string>();
  for (const { input, output } of jobs) {
    const path = await realpath(output).catch(() => resolve(output));
    if (path === (await realpath(input))) {
      throw new InputError(`${input} would be overwritten by its result; give another -o`);
    }
    const other = taken.get(path);
    if (other !== undefined) {
      throw new InputError(`${other} and ${input} would both be written to ${output}; rename one`);
    }
    taken.set(path, input);
  }
}
