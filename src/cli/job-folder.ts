/**
 * The journal of one picture: a folder `.<output name>.invsr-part` beside the output.
 *
 *   job.json       key of the job, rows done; replaced, never edited
 *   input.v        the decoded input                       (vips-file.ts)
 *   rows.v         the result's rows, growing
 *   <k>.patches    f32 patches of batch k, as long as rows that are not done need them
 *   lock           id of the process at work              (job-lock.ts)
 *
 * Order of writes: patches are whole under their name or not there; rows are on the disk before
 * job.json counts them; patches go after that. So the folder is right at every moment, whatever ends
 * the process, and a job with the same key goes on from it and makes the same bytes.
 */
import { type FileHandle, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { PatchStore, ResultRows } from '../invsr/host-frame.ts';
import { firstBatchOf, type HostPlan } from '../invsr/host-plan.ts';
import { setResumable } from './errors.ts';
import { folderOf } from './job-lock.ts';
import {
  fieldsXml,
  HEADER_BYTES,
  pixelBytes,
  rowBytes,
  type VipsField,
  vipsHeader,
  type VipsLayout,
} from './vips-file.ts';
import { addPartial, keepPartial, replaceFile, writeError } from './whole-file.ts';

interface JobState {
  readonly key: string;
  readonly rowsDone: number;
}

export class JobFolder implements PatchStore {
  readonly path: string;
  /** What was found: nothing, this very job, or another one, which is gone now. */
  readonly found: 'nothing' | 'this' | 'another';
  readonly #output: string;
  readonly #plan: HostPlan;
  readonly #layout: VipsLayout;
  readonly #key: string;
  readonly #known: Set<number>;
  readonly #rows: FileHandle;
  #rowsDone: number;

  private constructor(
    output: string,
    { plan, layout, key }: JobOptions,
    { found, rows, rowsDone, known }: Opened,
  ) {
    this.path = folderOf(output);
    this.found = found;
    this.#output = output;
    this.#plan = plan;
    this.#layout = layout;
    this.#key = key;
    this.#rows = rows;
    this.#rowsDone = rowsDone;
    this.#known = known;
    if (this.tilesDone > 0) this.#keep();
  }

  /** The journal of a job with this key goes on; that of another one is replaced. */
  static async open(output: string, options: JobOptions): Promise<JobFolder> {
    const folder = folderOf(output);
    const { key, layout, resume } = options;
    try {
      const state = await stateOf(folder);
      if (state?.key === key && resume) {
        const { rowsDone } = state;
        const rows = await open(join(folder, 'rows.v'), 'r+');
        await rows.truncate(HEADER_BYTES + rowsDone * rowBytes(layout));
        const known = new Set(await batchesIn(folder));
        return new JobFolder(output, options, { found: 'this', rows, rowsDone, known });
      }
      await clear(folder);
      addPartial(folder);
      const rows = await open(join(folder, 'rows.v'), 'w');
      await rows.write(vipsHeader(layout));
      await rows.sync();
      await replaceFile(join(folder, 'job.json'), jobJson({ key, rowsDone: 0 }));
      const found = state ? 'another' : 'nothing';
      return new JobFolder(output, options, { found, rows, rowsDone: 0, known: new Set() });
    } catch (cause) {
      throw writeError(output, cause);
    }
  }

  get rowsDone(): number {
    return this.#rowsDone;
  }

  /** Tiles that need not be computed again. */
  get tilesDone(): number {
    const first = firstBatchOf(this.#plan, this.#rowsDone);
    return this.#plan.batches
      .filter((_, k) => k < first || this.#known.has(k))
      .reduce((sum, tiles) => sum + tiles.length, 0);
  }

  has(batch: number): boolean {
    return this.#known.has(batch);
  }

  async load(batch: number): Promise<Float32Array<ArrayBuffer>> {
    const bytes = await readFile(this.#patches(batch));
    return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  }

  async save(batch: number, patches: Float32Array): Promise<void> {
    const { buffer, byteOffset, byteLength } = patches;
    await this.#writing(
      replaceFile(this.#patches(batch), new Uint8Array(buffer, byteOffset, byteLength)),
    );
    this.#known.add(batch);
    this.#keep();
  }

  /** The next rows of the result, safe on the disk when this returns. */
  async append({ first, count, data }: ResultRows): Promise<void> {
    if (first !== this.#rowsDone) throw new Error(`rows ${first} follow ${this.#rowsDone}`);
    const position = HEADER_BYTES + first * rowBytes(this.#layout);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    await this.#writing(writeAll(this.#rows, bytes, position));
    await this.#writing(this.#rows.datasync());
    this.#rowsDone = first + count;
    await this.#writing(
      replaceFile(
        join(this.path, 'job.json'),
        jobJson({ key: this.#key, rowsDone: this.#rowsDone }),
      ),
    );
    const needed = firstBatchOf(this.#plan, this.#rowsDone);
    for (const batch of this.#known) {
      if (batch >= needed) continue;
      await rm(this.#patches(batch), { force: true });
      this.#known.delete(batch);
    }
  }

  /** The file of all rows, with metadata behind them. */
  async finish(fields: readonly VipsField[]): Promise<string> {
    const end = HEADER_BYTES + pixelBytes(this.#layout);
    const xml = new TextEncoder().encode(fieldsXml(fields));
    await this.#writing(this.#rows.truncate(end));
    await this.#writing(writeAll(this.#rows, xml, end));
    return join(this.path, 'rows.v');
  }

  async close(): Promise<void> {
    await this.#rows.close();
  }

  #patches(batch: number): string {
    return join(this.path, `${batch}.patches`);
  }

  #keep(): void {
    keepPartial(this.path);
    setResumable(true);
  }

  async #writing(work: Promise<unknown>): Promise<void> {
    await work.catch((cause: unknown) => {
      throw writeError(this.#output, cause);
    });
  }
}

export interface JobOptions {
  readonly plan: HostPlan;
  /** Of the result. */
  readonly layout: VipsLayout;
  /** Hash of everything that the result's bytes depend on. */
  readonly key: string;
  readonly resume: boolean;
}

interface Opened {
  readonly found: JobFolder['found'];
  readonly rows: FileHandle;
  readonly rowsDone: number;
  readonly known: Set<number>;
}

const jobJson = (state: JobState): string => `${JSON.stringify(state)}\n`;

async function stateOf(folder: string): Promise<JobState | undefined> {
  const text = await readFile(join(folder, 'job.json'), 'utf8').catch(() => '');
  try {
    const { key, rowsDone } = JSON.parse(text) as Partial<JobState>;
    return typeof key === 'string' && typeof rowsDone === 'number' ? { key, rowsDone } : undefined;
  } catch {
    return undefined;
  }
}

const PATCHES = /^(\d+)\.patches$/;

async function batchesIn(folder: string): Promise<number[]> {
  const names = await readdir(folder);
  return names.flatMap((name) => {
    const batch = PATCHES.exec(name)?.[1];
    return batch === undefined ? [] : [Number(batch)];
  });
}

/** Removes an earlier job; the decoded input is of this one already. */
async function clear(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name !== 'lock' && name !== 'input.v') await rm(join(folder, name), { recursive: true });
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
