/**
 * `invsr bench model`: how fast a model runs here. Single kernels and other engines beside ours are
 * benched from a clone (`npm run bench`), because their cases are the tests'.
 */
import { Command } from 'commander';
import { createContext } from '../engine/context.ts';
import { nameOf } from '../engine/device.ts';
import { createDevice, type NodeDevice } from '../engine/node-device.ts';
import { measurePaths, type PathResult, type Precision } from '../invsr/measure-path.ts';
import { type Model, openModel } from '../invsr/model.ts';
import { TIMESTEPS } from '../invsr/scheduler.ts';
import { VERSION } from '../version.ts';
import { InputError } from './errors.ts';
import { modelFolder } from './models.ts';
import { choice, integer, MAX_STEPS, tileSize } from './options.ts';
import type { CommandContext } from './upscale.ts';

interface BenchFlags {
  readonly model: string;
  readonly steps: number;
  readonly tile: number;
  readonly precision: 'auto' | Precision;
  readonly adapter: string;
  readonly runs: number;
  readonly top: number;
}

export function benchCommand(context: CommandContext): Command {
  const model = new Command('model')
    .description('Time of one tile: wall, GPU time by network and by kind of dispatch.')
    .option('--model <name|dir>', 'as for upscale', 'invsr-nano')
    .option('--steps <n>', `denoising steps, 1 to ${MAX_STEPS}`, integer(1, MAX_STEPS), 1)
    .option('--tile <pixels>', 'tile side in input pixels', tileSize, 128)
    .addOption(
      choice(
        '--precision <kind>',
        'auto: all that the adapter can',
        ['auto', 'f16', 'f32'],
        'auto',
      ),
    )
    .option('--adapter <name>', 'as for upscale', 'auto')
    .option('--runs <n>', 'timed runs, after one that warms up', integer(1, 1000), 5)
    .option('--top <n>', 'kinds of dispatches to list', integer(0), 15)
    .option('--json', 'one JSON object on stdout')
    .action((flags: BenchFlags) => bench(flags, context));
  // What main.ts sets for its own commands; this one is a level below.
  model.exitOverride().configureOutput({ outputError: () => {} });
  const kernels = new Command('kernels')
    .description('Time of single kernels: from a clone, as npm run bench -- kernels.')
    .allowUnknownOption()
    .allowExcessArguments()
    .action(() => {
      throw new InputError(
        'bench kernels needs the test cases, which the package does not have; clone the repository and use npm run bench -- kernels',
      );
    });
  return new Command('bench')
    .description('Measure speed on this machine.')
    .addCommand(model)
    .addCommand(kernels);
}

async function bench(flags: BenchFlags, work: CommandContext): Promise<void> {
  const { adapter } = flags;
  const model = await openModel(await modelFolder(flags.model));
  try {
    const made = await createDevice({ adapter });
    try {
      await benchOn(made, model, flags, work);
    } finally {
      made.device.destroy();
    }
  } finally {
    await model.close();
  }
}

async function benchOn(
  { device, capabilities, matrix, notice }: NodeDevice,
  model: Model,
  flags: BenchFlags,
  { reporter, signal }: CommandContext,
): Promise<void> {
  const { tile, runs } = flags;
  const context = createContext(device, matrix && { matrix });
  try {
    if (notice !== undefined) reporter.note(notice);
    const able: readonly Precision[] = capabilities.shaderF16 ? ['f16', 'f32'] : ['f32'];
    const results = await measurePaths(context, model, {
      precisions: flags.precision === 'auto' ? able : [flags.precision],
      tile,
      timesteps: TIMESTEPS[flags.steps] ?? [],
      runs,
      signal,
      onProgress: (text) => reporter.note(text),
    });
    const name = nameOf(capabilities);
    reporter.result(
      { bench: 'model', version: VERSION, adapter: name, model: flags.model, tile, results },
      [name, ...results.flatMap((result) => linesOf(result, flags.top))],
    );
  } finally {
    context.dispose();
  }
}

function linesOf({ precision, wall, flops, networks, kinds }: PathResult, top: number): string[] {
  const row = (label: string, milliseconds: number, flops: number): string => {
    const speed = flops / milliseconds / 1e6;
    return `  ${milliseconds.toFixed(1).padStart(10)} ms ${speed.toFixed(1).padStart(8)} GFLOP/s  ${label}`;
  };
  return [
    '',
    `${precision}, median of ${wall.runs} runs (10 % below ${wall.p10.toFixed(1)} ms, 10 % above ${wall.p90.toFixed(1)} ms)`,
    row('wall, from upload to readback', wall.median, flops),
    ...networks.map(({ key, milliseconds, flops }) => row(key, milliseconds, flops)),
    ...(top > 0 && kinds.length > 0 ? ['GPU time by kind of dispatch'] : []),
    ...kinds
      .slice(0, top)
      .map(({ key, count, milliseconds, flops }) => row(`${count} × ${key}`, milliseconds, flops)),
  ];
}
