/**
 * `invsr weights synth DIR`: writes a model folder of synthetic weights, bit-exact against published
 * known answers, for tests and measurements where real weights cannot be had.
 */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import {
  readNoisePredictorConfig,
  readSchedulerConfig,
  readTextEncoderConfig,
  readUNetConfig,
  readVaeConfig,
} from '../invsr/config.ts';
import { SIZES, type SyntheticConfigs } from '../invsr/synthetic-configs.ts';
import {
  type ModelFile,
  NOTICE,
  type Part,
  PARTS,
  syntheticModel,
} from '../invsr/synthetic-model.ts';
import { expectSpace } from './disk-space.ts';
import { InputError, interruptible, reasonOf } from './errors.ts';
import { humanBytes } from './transfer-progress.ts';
import type { CommandContext } from './progress.ts';
import { writeWhole } from './whole-file.ts';

interface SynthFlags {
  readonly parts?: readonly Part[];
  readonly size: string;
  readonly pth?: boolean;
  readonly force?: boolean;
}

const EXAMPLES = `
Examples:
  invsr weights synth synthetic/                                2.6 GB, of SD-Turbo's size
  invsr weights synth small/ --size tiny
  invsr weights synth unet-only/ --parts unet --size models/mine`;

export function synthCommand(context: CommandContext): Command {
  return new Command('synth')
    .description('Write a model of synthetic weights (noise) in Hugging Face layout.')
    .argument('<dir>', 'folder to write, new or empty')
    .option('--parts <list>', `some of ${PARTS.join(', ')} (default: all)`, partList)
    .option(
      '--size <name|dir>',
      'full (SD-Turbo), tiny, or a folder whose config.json files say the sizes',
      'full',
    )
    .option('--pth', 'the noise predictor as .pth in f32, the form in which it is published')
    .option('--force', 'write into a folder that is not empty, over files of the same names')
    .option('--json', 'one JSON object per line on stdout: progress, result')
    .addHelpText('after', EXAMPLES)
    .action((dir: string, flags: SynthFlags) =>
      interruptible(
        context.signal,
        () => `${dir} is not complete; --force writes all of it again`,
        () => synth(dir, flags, context),
      ),
    );
}

async function synth(
  dir: string,
  { parts = PARTS, size, pth = false, force = false }: SynthFlags,
  { reporter, signal }: CommandContext,
): Promise<void> {
  const configs = isSize(size) ? SIZES[size] : await readConfigs(size, parts);
  const files = syntheticModel(configs, { parts, pth });
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  await expectPlace(dir, bytes, force);
  reporter.note(`${dir}: ${NOTICE.trim()}`);
  const started = performance.now();
  let done = 0;
  const report = (written: number): void => {
    done += written;
    reporter.transfer({ stage: 'write', doneBytes: done, totalBytes: bytes });
  };
  for (const file of files) {
    signal.throwIfAborted();
    const target = join(dir, file.path);
    if (force) await rm(target, { force: true });
    await writeWhole(target, watched(file, report, signal));
  }
  const seconds = (performance.now() - started) / 1000;
  reporter.result({ folder: dir, parts, files: files.map(({ path }) => path), bytes, seconds }, [
    `${dir}  ${files.length} files, ${humanBytes(bytes)} in ${seconds.toFixed(1)} s; synthetic noise, not a trained model`,
  ]);
}

/** A file's content; says what was written, and ends where the user interrupts. */
async function* watched(
  { content }: ModelFile,
  report: (written: number) => void,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for (const chunk of content()) {
    signal.throwIfAborted();
    yield chunk;
    report(chunk.length);
    // Signals are delivered between turns of the event loop, which writing to a cache never ends.
    await new Promise(setImmediate);
  }
}

const isSize = (size: string): size is keyof typeof SIZES => Object.hasOwn(SIZES, size);

const READERS = {
  unet: readUNetConfig,
  vae: readVaeConfig,
  noise_predictor: readNoisePredictorConfig,
  scheduler: readSchedulerConfig,
  text_encoder: readTextEncoderConfig,
} as const;

/** Config files of another model; parts that are not written need none. */
async function readConfigs(folder: string, parts: readonly Part[]): Promise<SyntheticConfigs> {
  const configs: Record<Part, object> = { ...SIZES.full };
  for (const part of parts) {
    const name = part === 'scheduler' ? 'scheduler_config.json' : 'config.json';
    const file = join(folder, part, name);
    const text = await readFile(file, 'utf8').catch((cause: unknown) => {
      throw new InputError(
        `--size ${folder}: cannot read ${file}: ${reasonOf(cause)}; expected ${Object.keys(SIZES).join(', ')}, or a folder with a config.json for each of --parts`,
        { cause },
      );
    });
    READERS[part](text, file);
    configs[part] = JSON.parse(text) as object;
  }
  return configs as unknown as SyntheticConfigs;
}

async function expectPlace(dir: string, bytes: number, force: boolean): Promise<void> {
  const there = await readdir(dir).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return [];
    throw new InputError(`cannot write into ${dir}: ${reasonOf(cause)}`, { cause });
  });
  if (there.length > 0 && !force) {
    throw new InputError(
      `${dir} is not empty (${there.slice(0, 3).join(', ')}${there.length > 3 ? ', …' : ''}); give a new folder, or --force to write over what is there`,
    );
  }
  await expectSpace(dir, bytes);
}

function partList(text: string): readonly Part[] {
  const names = text.split(',').map((name) => name.trim());
  const known = PARTS.filter((part) => names.includes(part));
  const unknown = names.find((name) => !PARTS.some((part) => part === name));
  if (unknown !== undefined) {
    throw new InvalidArgumentError(`expected some of ${PARTS.join(', ')}, got ${unknown}.`);
  }
  return known;
}
