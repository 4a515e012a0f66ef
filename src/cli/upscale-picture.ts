/** One picture of `invsr upscale`: through the host frame, or for parity through the GPU frame. */
import { basename } from 'node:path';
import type { ImageSize } from '../engine/gpu-image.ts';
import type { Tensors } from '../invsr/model.ts';
import { patchSource } from '../invsr/patch-source.ts';
import type { Settings } from '../library/result-note.ts';
import type { Folder } from '../weights/folder.ts';
import type { Job } from './inputs.ts';
import { jobKey } from './job-key.ts';
import { promptResult } from './prompts.ts';
import type { Session } from './session.ts';
import type { CommandContext } from './progress.ts';
import { type UpscaleFlags, upscaleSettings } from './upscale-flags.ts';
import { type RowsJob, upscaleToFile } from './upscale-to-file.ts';
import { upscaleWhole } from './upscale-whole.ts';

/** What the pictures of one command line share. */
export interface Work extends CommandContext {
  readonly flags: UpscaleFlags;
  readonly noise: Tensors | undefined;
  /** The model's. */
  readonly folder: Folder;
}

/** `session` opens the device at the first picture that is worth it. */
export async function upscalePicture(
  job: Job,
  work: Work,
  session: () => Promise<Session>,
): Promise<void> {
  const { flags, reporter } = work;
  const { extra, ...result } = isWhole(flags)
    ? await throughGpuFrame(job, work, session)
    : await throughHostFrame(job, work, session);
  const { adapter, options, networks } = await session();
  const { precision } = options;
  const { peakBytes: peakGpuBytes } = networks.context.memory;
  const seconds = (result.milliseconds['total'] ?? 0) / 1000;
  const compared = '  before (bicubic) and after, side by side';
  const facts = { ...result, adapter, precision, peakGpuBytes, ...promptResult(flags) };
  reporter.result({ ...job, ...facts }, [
    `${job.output}  ${result.width}x${result.height} in ${seconds.toFixed(1)} s on ${adapter} (${precision})`,
    ...extra,
    ...(flags.beforeAfter === undefined ? [] : [`${flags.beforeAfter}${compared}`]),
  ]);
}

interface Made extends ImageSize {
  readonly milliseconds: Readonly<Record<string, number>>;
  /** Lines for people. */
  readonly extra: readonly string[];
}

/** Parity needs the frame that the official code has: everything whole. */
export const isWhole = ({ official, noise, dump }: UpscaleFlags): boolean =>
  official === true || noise !== undefined || dump !== undefined;

async function throughGpuFrame(
  job: Job,
  { flags, noise, reporter, signal }: Work,
  session: () => Promise<Session>,
): Promise<Made> {
  const { seed, dump, beforeAfter } = flags;
  const { tensors, ...result } = await upscaleWhole(job, {
    session,
    seed,
    noise,
    dump,
    beforeAfter,
    signal,
    onProgress: (p) => reporter.progress(job.input, p),
  });
  return { ...result, extra: dump === undefined ? [] : [`${dump}  ${tensors} tensors`] };
}

async function throughHostFrame(
  job: Job,
  { flags, folder, reporter, signal }: Work,
  session: () => Promise<Session>,
): Promise<Made> {
  const { seed, scale } = flags;
  const { timesteps } = upscaleSettings(flags);
  const rowsJob: RowsJob = {
    ...job,
    scale,
    depth: flags.depth,
    resume: flags.resume,
    settings: flags.metadata ? settingsOf(flags, timesteps) : null,
    beforeAfter: flags.beforeAfter,
  };
  const { tiles, resumed, ...result } = await upscaleToFile(rowsJob, {
    networks: async () => {
      const { networks, options: tiling, adapter } = await session();
      const options = { ...tiling, scale, seed, adapter, ...promptsOf(flags) };
      const key = await jobKey({ input: job.input, model: folder, options });
      return { tiling, patches: patchSource(networks, { seed }), key };
    },
    signal,
    onProgress: (p) => reporter.progress(job.input, p),
    onNote: (line) => reporter.note(line),
  });
  return { ...result, ...(resumed > 0 && { tiles, resumed }), extra: [] };
}

const promptsOf = ({ prompt, negativePrompt }: UpscaleFlags) => ({
  ...(prompt !== undefined && { prompt }),
  ...(negativePrompt !== undefined && { negativePrompt }),
});

/** What a picture's metadata tells: all that is needed to make it again. */
const settingsOf = (flags: UpscaleFlags, timesteps: readonly number[]): Settings => ({
  model: basename(flags.model),
  scale: flags.scale,
  timesteps,
  seed: flags.seed,
  tile: flags.tile,
  ...(flags.overlap !== undefined && { overlap: flags.overlap }),
  ...(flags.colorFix !== 'none' && { colorFix: flags.colorFix }),
  ...(flags.cfg !== 1 && { cfg: flags.cfg }),
  ...promptsOf(flags),
});
