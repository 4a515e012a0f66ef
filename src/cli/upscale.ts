/** `invsr upscale`: files in, files out. */
import { Command } from 'commander';
import { createDevice } from '../engine/node-device.ts';
import { openModel } from '../invsr/model.ts';
import { OFFICIAL, type UpscaleOptions, Upscaler } from '../invsr/upscaler.ts';
import { SCALE } from '../invsr/tile-graph.ts';
import { TIMESTEPS } from '../invsr/scheduler.ts';
import { fileSource, nodeFolder } from '../weights/node-file.ts';
import { readTensors } from '../weights/safetensors.ts';
import { writeSafetensors } from '../weights/safetensors-write.ts';
import { InputError } from './errors.ts';
import {
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
      '--prompt and --negative-prompt need a text encoder, which this version does not run yet; leave them out to use the model’s fixed prompt',
    );
  }
  const jobs = await planJobs(inputs, flags.output);
  if (flags.dump !== undefined && jobs.length > 1) {
    throw new InputError('--dump takes one input image');
  }
  const noise =
    flags.noise === undefined ? undefined : await readTensors(await fileSource(flags.noise));
  const model = await openModel(await nodeFolder(await modelFolder(flags.model)), noise);

  const created = await createDevice({ adapter: flags.adapter });
  try {
    const { adapterName, notice } = created;
    if (notice) reporter.note(notice);
    const upscaler = await Upscaler.load(created.engine, model, settingsOf(flags, created), {
      signal,
      onProgress: (p) => reporter.progress(flags.model, p),
    });
    for (const job of jobs) await upscaleFile(job, upscaler, adapterName);
  } finally {
    created.destroy();
  }

  async function upscaleFile(job: Job, upscaler: Upscaler, adapter: string): Promise<void> {
    const started = performance.now();
    const picture = await readPicture(job.input);
    const dump = flags.dump === undefined ? undefined : new Map();
    const result = await upscaler.upscale(picture, {
      seed: flags.seed,
      ...(noise && { noise }),
      ...(dump && { dump }),
      signal,
      onProgress: (p) => reporter.progress(job.input, p),
    });
    signal.throwIfAborted();
    const size = { width: result.width, height: result.height };
    const alpha = picture.alpha && (await resizeAlpha(picture.alpha, picture, size));
    const output = { ...size, pixels: result.pixels, alpha };
    await writePicture(job.output, output);
    if (flags.beforeAfter !== undefined) await writeBeforeAfter(flags.beforeAfter, picture, output);
    if (dump && flags.dump !== undefined) {
      await writeWhole(flags.dump, (temporary) => writeSafetensors(temporary, dump));
    }
    const seconds = (performance.now() - started) / 1000;
    reporter.result(
      {
        input: job.input,
        output: job.output,
        ...size,
        milliseconds: result.milliseconds,
        adapter,
        precision: upscaler.precision,
        peakGpuBytes: upscaler.peakGpuBytes,
      },
      [
        `${job.output}  ${size.width}x${size.height} in ${seconds.toFixed(1)} s on ${adapter} (${upscaler.precision})`,
        ...(flags.beforeAfter === undefined
          ? []
          : [`${flags.beforeAfter}  bicubic | ${flags.model}`]),
      ],
    );
  }
}
