/** `invsr upscale`: files in, files out. */
import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { createContext } from '../engine/context.ts';
import { nameOf } from '../engine/device.ts';
import { createDevice } from '../engine/node-device.ts';
import { openModel } from '../invsr/model.ts';
import type { Dump } from '../invsr/parity.ts';
import { TIMESTEPS } from '../invsr/scheduler.ts';
import { Upscaler, type UpscalerOptions, type UpscaleResult } from '../invsr/upscaler.ts';
import { readTensors } from '../weights/checkpoint.ts';
import { fileSource, nodeFolder } from '../weights/node-file.ts';
import { safetensorsParts, type TensorData } from '../weights/safetensors-write.ts';
import { InputError } from './errors.ts';
import {
  type Picture,
  readPicture,
  resizeAlpha,
  writeBeforeAfter,
  writePicture,
  writeWhole,
} from './image-file.ts';
import { type Job, planJobs } from './inputs.ts';
import { modelFolder } from './models.ts';
import { choice, integer, MAX_STEPS, number, tileSize, timestepList } from './options.ts';
import type { Reporter } from './progress.ts';

export interface CommandContext {
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
}

interface UpscaleFlags {
  readonly output: string;
  readonly model: string;
  readonly steps: number;
  readonly timesteps?: readonly number[];
  readonly seed: number;
  readonly tile: number;
  readonly tileBatch?: number;
  readonly overlap?: number;
  readonly colorFix: 'none' | 'wavelet' | 'ycbcr';
  readonly cfg: number;
  readonly prompt?: string;
  readonly negativePrompt?: string;
  readonly precision: 'auto' | 'f16' | 'f32';
  readonly adapter: string;
  readonly official?: boolean;
  readonly noise?: string;
  readonly dump?: string;
  readonly beforeAfter?: string;
  readonly json?: boolean;
}

export function upscaleCommand(context: CommandContext): Command {
  return new Command('upscale')
    .description('upscale images x4')
    .argument('<input...>', 'image files, or folders of images')
    .requiredOption('-o, --output <path>', 'output file (png, jpg, webp) or folder')
    .option(
      '--model <name|dir>',
      'invsr-nano (embedded), or a folder in Hugging Face layout',
      'invsr-nano',
    )
    .option('--steps <n>', `denoising steps, 1 to ${MAX_STEPS}`, integer(1, MAX_STEPS), 1)
    .option(
      '--timesteps <list>',
      'descending timesteps instead of --steps, e.g. 250,150,50',
      timestepList,
    )
    .option('--seed <n>', 'the noise; same seed, same picture', integer(0), 12345)
    .option('--tile <pixels>', 'tile side in input pixels', tileSize, 128)
    .option('--tile-batch <n>', 'tiles computed at once', integer(1, 64))
    .option(
      '--overlap <share>',
      'how much of a tile its neighbour repeats, 0 to 0.5',
      number(0, 0.5),
    )
    .addOption(
      choice(
        '--color-fix <kind>',
        'take colours from the input',
        ['none', 'wavelet', 'ycbcr'],
        'none',
      ),
    )
    .option('--cfg <scale>', 'classifier-free guidance, 1 is off', number(1, 20), 1)
    .option('--prompt <text>', 'another prompt (needs the text encoder)')
    .option('--negative-prompt <text>', 'another negative prompt (needs the text encoder)')
    .addOption(
      choice('--precision <kind>', 'storage of activations', ['auto', 'f16', 'f32'], 'auto'),
    )
    .option(
      '--adapter <name>',
      'auto, software, or part of an adapter name (see invsr info)',
      'auto',
    )
    .option('--official', 'tiles, overlap, noise order and padding exactly as the official code')
    .option('--noise <file>', 'parity: take every random draw from a safetensors file')
    .option('--dump <file>', 'write every stage as float32 NCHW to a safetensors file')
    .option('--before-after <file>', 'also write bicubic and result side by side')
    .option('--json', 'one JSON object per line on stdout')
    .action((inputs: readonly string[], flags: UpscaleFlags) => upscale(inputs, flags, context));
}

async function upscale(
  inputs: readonly string[],
  flags: UpscaleFlags,
  { reporter, signal }: CommandContext,
): Promise<void> {
  if (flags.prompt !== undefined || flags.negativePrompt !== undefined) {
    throw new InputError(
      "--prompt and --negative-prompt need a text encoder, which this version does not run; leave them out to use the model's own prompt",
    );
  }
  const jobs = await planJobs(inputs, flags.output);
  if (flags.dump !== undefined && jobs.length > 1) {
    throw new InputError('--dump takes one input image');
  }
  // Read before any work: a folder with one bad picture should not fail an hour later.
  const noise =
    flags.noise === undefined ? undefined : await readTensors(await fileSource(flags.noise));
  const first = jobs[0] && (await readPicture(jobs[0].input));
  const model = await openModel(nodeFolder(await modelFolder(flags.model)), noise);

  const { device, capabilities, notice } = await createDevice({ adapter: flags.adapter });
  const context = createContext(device);
  const upscaler = new Upscaler(context, model, upscalerOptions(flags));
  try {
    if (notice !== undefined) reporter.note(notice);
    for (const job of jobs) {
      const picture = job === jobs[0] && first ? first : await readPicture(job.input);
      await upscaleFile(job, picture);
    }
  } finally {
    upscaler.dispose();
    context.dispose();
    device.destroy();
    await model.close();
  }

  async function upscaleFile(job: Job, picture: Picture): Promise<void> {
    const started = performance.now();
    const dump: Dump | undefined = flags.dump === undefined ? undefined : new Map();
    const result = await upscaler.upscale(picture, {
      seed: flags.seed,
      noise,
      dump,
      signal,
      onProgress: (p) => reporter.progress(job.input, p),
    });
    const written = await writeResults(job, picture, { result, dump }, flags);
    signal.throwIfAborted();
    const { width, height, milliseconds } = result;
    const adapter = nameOf(capabilities);
    const { precision } = upscaler.options;
    const seconds = (performance.now() - started) / 1000;
    reporter.result(
      {
        ...job,
        width,
        height,
        milliseconds,
        adapter,
        precision,
        peakGpuBytes: upscaler.peakGpuBytes,
      },
      [
        `${job.output}  ${width}x${height} in ${seconds.toFixed(1)} s on ${adapter} (${precision})`,
        ...written,
      ],
    );
  }
}

/** Writes picture, comparison and dump; returns a line for each extra file. */
async function writeResults(
  job: Job,
  picture: Picture,
  { result, dump }: { readonly result: UpscaleResult; readonly dump: Dump | undefined },
  flags: UpscaleFlags,
): Promise<string[]> {
  const lines: string[] = [];
  const alpha = picture.alpha && (await resizeAlpha(picture.alpha, picture, result));
  const { width, height, pixels } = result;
  const output = { width, height, pixels, alpha };
  await writePicture(job.output, output);
  if (flags.beforeAfter !== undefined) {
    await writeBeforeAfter(flags.beforeAfter, picture, output);
    lines.push(`${flags.beforeAfter}  before (bicubic) and after, side by side`);
  }
  if (dump && flags.dump !== undefined) {
    const tensors = [...dump].map(([name, { shape, data }]): [string, TensorData] => [
      name,
      { dtype: 'F32', shape, bytes: new Uint8Array(data.slice().buffer) },
    ]);
    const parts = safetensorsParts(new Map(tensors));
    await writeWhole(flags.dump, (temporary) => writeFile(temporary, parts));
    lines.push(`${flags.dump}  ${dump.size} tensors`);
  }
  return lines;
}

function upscalerOptions(flags: UpscaleFlags): UpscalerOptions {
  const { tile, tileBatch, overlap, colorFix, cfg, official = false, precision } = flags;
  return {
    timesteps: flags.timesteps ?? TIMESTEPS[flags.steps] ?? [],
    tile,
    colorFix,
    cfg,
    official,
    ...(tileBatch !== undefined && { tileBatch }),
    ...(overlap !== undefined && { overlap }),
    ...(precision !== 'auto' && { precision }),
  };
}
