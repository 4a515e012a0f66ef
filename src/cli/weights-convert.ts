/**
 * `invsr weights convert IN OUT`: a PyTorch checkpoint, or safetensors in one file or many, becomes one
 * safetensors file. It passes through piece by piece, and is there whole or not at all.
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Command } from 'commander';
import { type Checkpoint, openCheckpoint, openFile } from '../weights/checkpoint.ts';
import { convertCheckpoint } from '../weights/convert.ts';
import { grouped } from '../weights/error.ts';
import { nodeFolder } from '../weights/node-file.ts';
import { expectSpace } from './disk-space.ts';
import { InputError, interruptible, reasonOf } from './errors.ts';
import { expectExtension, expectWritableFolder } from './inputs.ts';
import { choice } from './options.ts';
import type { CommandContext, Reporter } from './progress.ts';
import { writeWhole } from './whole-file.ts';

const EXAMPLES = `
Examples:
  invsr weights convert noise_predictor_sd_turbo_v5.pth noise_predictor.safetensors
  invsr weights convert sd-turbo/unet unet.safetensors --dtype keep    shards into one file`;

const TARGETS = { f16: 'F16', f32: 'F32', keep: undefined } as const;

interface ConvertFlags {
  readonly dtype: keyof typeof TARGETS;
}

export function convertCommand(context: CommandContext): Command {
  return new Command('convert')
    .description('Write a checkpoint as one .safetensors file. Nothing in a PyTorch file is run.')
    .argument('<in>', '.pth, .pt, .safetensors, .safetensors.index.json, or the folder of one')
    .argument('<out>', '.safetensors file')
    .addOption(choice('--dtype <type>', 'what floats become', Object.keys(TARGETS), 'f16'))
    .option('--json', 'one JSON object on stdout: what was written')
    .addHelpText('after', EXAMPLES)
    .action((input: string, output: string, flags: ConvertFlags) =>
      interruptible(
        context.signal,
        () => `${output} was not written`,
        () => convert(input, output, flags, context),
      ),
    );
}

async function convert(
  input: string,
  output: string,
  { dtype }: ConvertFlags,
  { reporter, signal }: CommandContext,
): Promise<void> {
  expectExtension('output', output, ['.safetensors']);
  const files = await inputFiles(input);
  await expectOther(output, files, input);
  await expectWritableFolder(dirname(output));
  await using checkpoint = await open(input, signal);
  const conversion = convertCheckpoint(checkpoint, TARGETS[dtype]);
  await expectSpace(output, conversion.bytes);

  // What fails in reading is told as it is, not as a failure to write.
  let failure: unknown;
  async function* content(): AsyncGenerator<Uint8Array> {
    const progress = progressLines(input, conversion.bytes, reporter);
    try {
      for await (const piece of conversion.content(signal)) {
        yield piece;
        progress(piece.length);
      }
    } catch (error) {
      failure = error;
      throw error;
    }
  }
  await writeWhole(output, content()).catch((error: unknown) => {
    throw failure ?? error;
  });
  const { bytes } = conversion;
  const tensors = checkpoint.tensors.size;
  reporter.result({ input: checkpoint.name, output, dtype, tensors, bytes }, [
    `${output}  ${tensors} tensors, ${grouped(bytes)} bytes`,
  ]);
}

const PICKLED = /\.(?:pth|pt|bin|ckpt)$/i;
const SAFE = /\.safetensors$|\.index\.(?:\w+\.)?json$/i;

async function open(input: string, signal: AbortSignal): Promise<Checkpoint> {
  const info = await stat(input);
  if (info.isDirectory()) return openCheckpoint(nodeFolder(input), signal);
  if (!PICKLED.test(input) && !SAFE.test(input)) {
    throw new InputError(
      `${input}: expected a .pth, .pt, .bin, .ckpt, .safetensors or .safetensors.index.json file, or a folder with one`,
    );
  }
  return openFile(nodeFolder(dirname(input)), basename(input), signal);
}

/** What may be read: the file, or for a folder or an index every file beside it. */
async function inputFiles(input: string): Promise<readonly string[]> {
  try {
    const info = await stat(input);
    if (!info.isDirectory() && !input.endsWith('.json')) return [input];
    const folder = info.isDirectory() ? input : dirname(input);
    return (await readdir(folder)).map((name) => join(folder, name));
  } catch (cause) {
    throw new InputError(`cannot read ${input}: ${reasonOf(cause)}`, { cause });
  }
}

/** By identity: a link is the file it leads to. */
async function expectOther(output: string, files: readonly string[], input: string): Promise<void> {
  const there = await stat(output).catch(() => undefined);
  if (!there) return;
  if (there.isDirectory()) throw new InputError(`${output} is a folder; give a file in it`);
  for (const file of files) {
    const info = await stat(file).catch(() => undefined);
    if (info?.dev === there.dev && info.ino === there.ino) {
      throw new InputError(`${output} is read as a part of ${input}; give another output`);
    }
  }
}

/** A line for every tenth of a file that takes a while. */
function progressLines(input: string, total: number, reporter: Reporter): (bytes: number) => void {
  let done = 0;
  let told = 0;
  return (bytes) => {
    done += bytes;
    const tenth = Math.floor((10 * done) / total);
    if (total < 100e6 || tenth === told || tenth === 10) return;
    told = tenth;
    reporter.note(`${input}: converting, ${10 * tenth} %`);
  };
}
