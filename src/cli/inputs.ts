/** Which files are read and where their results go; everything that can be wrong is said first. */
import { constants } from 'node:fs';
import { access, mkdir, readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, parse, resolve } from 'node:path';
import { InputError, reasonOf } from './errors.ts';
import { READABLE, WRITABLE } from './image-file.ts';

export interface Job {
  readonly input: string;
  readonly output: string;
}

/**
 * Pairs inputs with outputs. A folder stands for the images in it (not in its subfolders). Several
 * inputs or a folder need a folder as output, which is created.
 */
export async function planJobs(inputs: readonly string[], output: string): Promise<Job[]> {
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
    const images = (await readdir(input)).filter(isReadable).toSorted();
    if (images.length === 0) {
      throw new InputError(`folder ${input} has no image (${READABLE.join(', ')})`);
    }
    files.push(...images.map((name) => join(input, name)));
  }
  const isFolder = await stat(output).then(
    (info) => info.isDirectory(),
    () => extname(output) === '' || output.endsWith('/'),
  );
  if (many && !isFolder) {
    throw new InputError(
      `${output} is one file, but there are ${files.length} inputs; give a folder as -o`,
    );
  }
  if (!isFolder && !WRITABLE.some((ext) => ext === extname(output).toLowerCase())) {
    throw new InputError(
      `${output} has no format that can be written; use one of ${WRITABLE.join(', ')}`,
    );
  }

  const folder = isFolder ? output : dirname(output);
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw new InputError(`cannot create folder ${folder}: ${reasonOf(cause)}`, { cause });
  });
  await access(folder, constants.W_OK).catch((cause: unknown) => {
    throw new InputError(`cannot write to folder ${folder}: ${reasonOf(cause)}`, { cause });
  });
  const jobs = files.map((input) => ({
    input,
    output: isFolder ? join(output, `${parse(input).name}.png`) : output,
  }));
  checkCollisions(jobs);
  return jobs;
}

const isReadable = (name: string): boolean =>
  !basename(name).startsWith('.') && READABLE.some((ext) => ext === extname(name).toLowerCase());

function checkCollisions(jobs: readonly Job[]): void {
  const taken = new Map<string, string>();
  for (const { input, output } of jobs) {
    const path = resolve(output);
    if (path === resolve(input))
      throw new InputError(`${input} would be overwritten; give another -o`);
    const other = taken.get(path);
    if (other !== undefined) {
      throw new InputError(`${other} and ${input} would both be written to ${output}; rename one`);
    }
    taken.set(path, input);
  }
}
