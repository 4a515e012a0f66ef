/**
 * One picture, file to file, through the host frame: any size in flat memory, and gone on with where
 * it was interrupted.
 *
 *   file ─decode→ input.v ─host frame→ rows.v ─encode→ result ─rename→ output       (job-folder.ts)
 */
import { open, rename } from 'node:fs/promises';
import { extname, join } from 'node:path';
import sharp from 'sharp';
import type { ImageSize } from '../engine/gpu-image.ts';
import { upscaleRows } from '../invsr/host-frame.ts';
import { type HostPlan, type HostPlanOptions, planHost, resultSize } from '../invsr/host-plan.ts';
import type { PatchSource } from '../invsr/tile-source.ts';
import type { UpscaleProgress } from '../invsr/upscale-settings.ts';
import type { Settings } from '../library/result-note.ts';
import { diskBytes, expectSpace } from './disk-space.ts';
import { decode, inspect } from './image-file.ts';
import { encodeRows, expectStorable, holds16Bits, writeBeforeAfter } from './image-output.ts';
import { type InputRows, openInputRows } from './input-rows.ts';
import { JobFolder } from './job-folder.ts';
import { folderOf, hasJournal, lockFolder, unlockFolder } from './job-lock.ts';
import { profileOnly, resultFields } from './picture-metadata.ts';
import { pixelBytes, readFields, type VipsLayout } from './vips-file.ts';
import { writeError } from './whole-file.ts';

/** What one picture is to become. */
export interface RowsJob {
  readonly input: string;
  readonly output: string;
  /** Of the result, 1 to 8. */
  readonly scale: number;
  readonly depth: 8 | 16 | 'auto';
  /** @default true */
  readonly resume: boolean;
  /** Written into the result; null for no metadata at all. */
  readonly settings: Settings | null;
  /** A comparison beside it. */
  readonly beforeAfter?: string | undefined;
}

/** Asked for when everything about the picture itself is known to be right. */
export interface Networks {
  readonly patches: PatchSource;
  /** Tiles as they fit the device. */
  readonly tiling: Omit<HostPlanOptions, 'scale'>;
  /** Hash of all that the patches depend on. */
  readonly key: string;
}

export interface RowsOptions {
  readonly networks: () => Promise<Networks>;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: UpscaleProgress) => void;
  /** A fact worth a line. */
  readonly onNote?: (line: string) => void;
}

export interface RowsResult extends ImageSize {
  /** Tiles in all, and those that an earlier run had done. */
  readonly tiles: number;
  readonly resumed: number;
  readonly milliseconds: Readonly<Record<'read' | 'prepare' | 'tiles' | 'write' | 'total', number>>;
}

export async function upscaleToFile(job: RowsJob, options: RowsOptions): Promise<RowsResult> {
  const header = await inspect(job.input);
  expectStorable(job.output, resultSize(header, job.scale));
  options.signal?.throwIfAborted();
  const before = hasJournal(job.output);
  lockFolder(job.output);
  let plan: HostPlan | undefined;
  let folder: JobFolder | undefined;
  let input: InputRows | undefined;
  let done = false;
  const clock = stopwatch();
  try {
    const path = join(folderOf(job.output), 'input.v');
    await decode(job.input, path);
    input = await openInputRows(path);
    options.signal?.throwIfAborted();
    clock.lap('read');

    const { patches, tiling, key } = await options.networks();
    plan = planHost(input, { ...tiling, scale: job.scale });
    const depth = job.depth === 'auto' ? input.layout.depth : job.depth;
    const layout: VipsLayout = {
      ...input.layout,
      ...plan.result,
      depth: holds16Bits(job.output) ? depth : 8,
    };
    await expectSpace(job.output, diskBytes(plan, input.layout, layout));
    folder = await JobFolder.open(job.output, {
      plan,
      layout,
      key: `${key} ${layout.depth}`,
      resume: job.resume,
    });
    const tiles = plan.grid.tiles.length;
    const resumed = folder.tilesDone;
    if (folder.found === 'this' && resumed > 0) {
      options.onNote?.(`${job.output}: resumed: ${resumed} of ${tiles} tiles`);
    } else if (folder.found === 'another') {
      options.onNote?.(`${job.output}: begun anew; what was there was begun with another command`);
    }
    const rows = upscaleRows(plan, input, patches, {
      depth: layout.depth,
      store: folder,
      signal: options.signal,
      onProgress: (p) => {
        if (p.stage === 'tiles') clock.lap('prepare', 'once');
        options.onProgress?.(p);
      },
    });
    for await (const strip of rows) await folder.append(strip);
    clock.lap('prepare', 'once');
    clock.lap('tiles');

    options.signal?.throwIfAborted();
    options.onProgress?.({ stage: 'finish', done: 0, total: 1 });
    const fields = await readFields(input.file, input.layout);
    const made = await folder.finish(
      // --memory may have made the tiles smaller.
      job.settings
        ? resultFields(fields, { ...job.settings, tile: plan.tile })
        : profileOnly(fields),
    );
    await finishFile(job, { made, input: path, layout });
    options.onProgress?.({ stage: 'finish', done: 1, total: 1 });
    clock.lap('write');
    done = true;
    const { width, height } = plan.result;
    return { width, height, tiles, resumed, milliseconds: clock.laps() };
  } catch (error) {
    const isAbort = error instanceof Error && error.name === 'AbortError';
    if (plan && folder && folder.tilesDone > 0 && !isAbort) {
      const share = `${folder.tilesDone} of ${plan.grid.tiles.length} tiles`;
      options.onNote?.(`${job.output}: ${share} are kept; the same command goes on with them`);
    }
    throw error;
  } finally {
    await input?.file.close();
    await folder?.close();
    const worthKeeping = folder ? folder.tilesDone > 0 : before;
    unlockFolder(job.output, { keep: !done && worthKeeping });
  }
}

/** Rows → the output, under its name only when it is whole and on the disk. */
async function finishFile(
  { output, beforeAfter, settings }: RowsJob,
  {
    made,
    input,
    layout,
  }: { readonly made: string; readonly input: string; readonly layout: VipsLayout },
): Promise<void> {
  const { depth, channels } = layout;
  const rows = {
    ...layout,
    path: made,
    depth,
    hasAlpha: channels === 4,
    bytes: pixelBytes(layout),
    metadata: settings !== null,
  };
  const partial = join(folderOf(output), `result${extname(output)}`);
  try {
    await encodeRows(rows, output, partial);
    await syncFile(partial);
    if (beforeAfter !== undefined) {
      const [before, after] = [input, made].map((path) => sharp(path, { limitInputPixels: false }));
      if (before && after) await writeBeforeAfter(beforeAfter, before, after, layout);
    }
    await rename(partial, output);
  } catch (cause) {
    throw cause instanceof Error && cause.name === 'WriteError' ? cause : writeError(output, cause);
  }
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

type Lap = keyof RowsResult['milliseconds'];

function stopwatch() {
  const start = performance.now();
  let last = start;
  const laps: Record<Lap, number> = { read: 0, prepare: 0, tiles: 0, write: 0, total: 0 };
  const seen = new Set<Lap>();
  return {
    lap(name: Lap, how?: 'once'): void {
      if (how === 'once' && seen.has(name)) return;
      seen.add(name);
      const now = performance.now();
      laps[name] = Math.round(now - last);
      last = now;
    },
    laps: () => ({ ...laps, total: Math.round(performance.now() - start) }),
  };
}
