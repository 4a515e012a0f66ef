/** The command line of `invsr upscale`: flags, their values, help. */
import { Command, Option } from 'commander';
import { TIMESTEPS } from '../invsr/scheduler.ts';
import { SCALE } from '../invsr/tile-graph.ts';
import { DEFAULT_SEED } from '../invsr/tile-inputs.ts';
import type { UpscaleSettings } from '../invsr/upscale-settings.ts';
import {
  byteSize,
  choice,
  depth,
  integer,
  MAX_STEPS,
  number,
  tileSize,
  timestepList,
} from './options.ts';

export interface UpscaleFlags {
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
  readonly scale: number;
  readonly depth: 8 | 16 | 'auto';
  /** False with --no-metadata. */
  readonly metadata: boolean;
  /** False with --no-resume. */
  readonly resume: boolean;
  readonly memory?: number;
  readonly lowMemory?: boolean;
  readonly check?: boolean;
  readonly official?: boolean;
  readonly noise?: string;
  readonly dump?: string;
  readonly beforeAfter?: string;
  readonly tune?: boolean;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  invsr upscale photo.jpg -o photo-x4.png
  invsr upscale scans/ -o larger/ --color-fix wavelet
  invsr upscale a.png b.webp -o out/ --steps 3 --seed 7
  invsr upscale photo.jpg -o large.png --model sd-turbo --memory 4GB
  invsr upscale scan.tif -o scan-x2.tif --scale 2 --depth 16
  invsr upscale photo.jpg -o x4.png --adapter software --json`;

export type UpscaleAction = (inputs: readonly string[], flags: UpscaleFlags) => Promise<void>;

export function upscaleCommand(action: UpscaleAction): Command {
  return new Command('upscale')
    .description(
      'Upscale images x4, of any size. Alpha, colour profile and EXIF are kept. After Ctrl-C the same command goes on.',
    )
    .argument('<input...>', 'images (png, jpg, webp, avif, tiff), or folders of images')
    .requiredOption(
      '-o, --output <path>',
      'output file (png, jpg, webp, tiff), or a folder for png files',
    )
    .option(
      '--model <name|dir>',
      'invsr-nano (embedded), sd-turbo (after invsr weights pull sd-turbo), or a folder in Hugging Face layout',
      'invsr-nano',
    )
    .option(
      '--steps <n>',
      `denoising steps, 1 to ${MAX_STEPS}`,
      integer(1, MAX_STEPS, '; --timesteps takes a list of more'),
      1,
    )
    .option(
      '--timesteps <list>',
      'descending timesteps instead of --steps, e.g. 250,150,50',
      timestepList,
    )
    .option('--seed <n>', 'same seed, same noise, same picture', integer(0), DEFAULT_SEED)
    .option('--tile <pixels>', 'tile side in input pixels, a multiple of 16', tileSize, 128)
    .option('--tile-batch <n>', 'tiles computed at once (default: 1)', integer(1, 64))
    .option(
      '--overlap <share>',
      'share of a tile that its neighbour repeats, 0 to 0.5 (default: 0.125)',
      number(0, 0.5),
    )
    .addOption(
      choice(
        '--color-fix <kind>',
        "keep the input's colours",
        ['none', 'wavelet', 'ycbcr'],
        'none',
      ),
    )
    .option('--cfg <scale>', 'classifier-free guidance from 1 (off) to 20', number(1, 20), 1)
    .option(
      '--prompt <text>',
      'what the picture shows or looks like (default: the official prompt)',
    )
    .option('--negative-prompt <text>', 'what it should not look like; needs --cfg above 1')
    .addOption(
      choice('--precision <kind>', 'storage of activations', ['auto', 'f16', 'f32'], 'auto'),
    )
    .option(
      '--adapter <name>',
      'auto, software, or part of an adapter name (see invsr info)',
      'auto',
    )
    .option('--scale <factor>', 'size of the result, 1 to 8', number(1, 8), SCALE)
    .addOption(
      new Option('--depth <bits>', 'of a png or tiff: 8, 16, or auto, as the input has')
        .argParser(depth)
        .default('auto'),
    )
    .option('--no-metadata', "leave out the input's EXIF and XMP, and how the result was made")
    .option('--no-resume', 'begin anew where an interrupted run of the same command left off')
    .option(
      '--memory <size>',
      'GPU memory to stay within, e.g. 4GB: activations in bands, smaller batches, one network at a time, smaller tiles',
      byteSize,
    )
    .option('--low-memory', 'one network on the device at a time')
    .option(
      '--check',
      'look for NaN and Infinity after every layer; go on in f32 where f16 is too narrow',
    )
    .option('--official', 'tiles, overlap, noise order and padding exactly as the official code')
    .option('--noise <file>', 'parity: take every random draw from a safetensors file')
    .option('--dump <file>', 'write every stage as float32 NCHW to a safetensors file')
    .option('--before-after <file>', 'also write bicubic and result side by side (png)')
    .option(
      '--tune',
      'once the images are written, take two minutes to make later runs faster (see invsr tune)',
    )
    .option('--json', 'one JSON object per line on stdout: progress, result, error')
    .addHelpText('after', EXAMPLES)
    .action((inputs: readonly string[], flags: UpscaleFlags) => action(inputs, flags));
}

export function upscaleSettings(flags: UpscaleFlags) {
  const { tile, tileBatch, overlap, colorFix, cfg, precision } = flags;
  const { official = false, lowMemory = false, check = false } = flags;
  return {
    timesteps: flags.timesteps ?? TIMESTEPS[flags.steps] ?? [],
    tile,
    colorFix,
    cfg,
    official,
    lowMemory,
    check,
    ...(tileBatch !== undefined && { tileBatch }),
    ...(overlap !== undefined && { overlap }),
    ...(precision !== 'auto' && { precision }),
  } satisfies UpscaleSettings;
}
