/** `invsr bench model`: how fast a model's whole path runs here. */
import { Command } from 'commander';
import { describeMachine, machineOf } from '../../bench/machine.ts';
import { createDevice, type NodeDevice } from '../engine/node-device.ts';
import { measurePaths, type PathResult, type Precision } from '../invsr/measure-path.ts';
import { type Model, openModel } from '../invsr/model.ts';
import { TIMESTEPS } from '../invsr/scheduler.ts';
import {
  type BenchHost,
  type DeviceFlags,
  expectComparable,
  give,
  openBench,
  type OutputFlags,
  type ReportFlags,
  readBefore,
  withDeviceFlags,
  withOutputFlags,
  withReportFlags,
} from './bench-output.ts';
import { modelFolder } from './models.ts';
import { integer, MAX_STEPS, tileSize } from './options.ts';
import type { CommandContext } from './upscale.ts';

interface ModelFlags extends DeviceFlags, OutputFlags, ReportFlags {
  readonly model: string;
  readonly steps: number;
  readonly tile: number;
  readonly runs: number;
  readonly top: number;
}

export function modelCommand(work: CommandContext, host: BenchHost): Command {
  const command = new Command('model')
    .description('Time of one tile: wall, GPU time by network and by kind of dispatch.')
    .option('--model <name|dir>', 'as for upscale', 'invsr-nano')
    .option('--steps <n>', `denoising steps, 1 to ${MAX_STEPS}`, integer(1, MAX_STEPS), 1)
    .option('--tile <pixels>', 'tile side in input pixels', tileSize, 128)
    .option('--runs <n>', 'timed runs, after one that warms up', integer(1, 1000), 5)
    .option('--top <n>', 'kinds of dispatches to list', integer(0), 15);
  return withReportFlags(withOutputFlags(withDeviceFlags(command))).action((flags: ModelFlags) =>
    bench(flags, work, host),
  );
}

async function bench(flags: ModelFlags, work: CommandContext, host: BenchHost): Promise<void> {
  const model = await openModel(await modelFolder(flags.model));
  try {
    const made = await createDevice({ adapter: flags.adapter });
    try {
      await benchOn(made, model, { flags, work, host });
    } finally {
      await made.device.queue.onSubmittedWorkDone().catch(() => {}); // see session.ts
      made.device.destroy();
    }
  } finally {
    await model.close();
  }
}

interface Asked {
  readonly flags: ModelFlags;
  readonly work: CommandContext;
  readonly host: BenchHost;
}

async function benchOn(
  made: NodeDevice,
  model: Model,
  { flags, work, host }: Asked,
): Promise<void> {
  const { reporter, signal } = work;
  const { tile, runs, steps } = flags;
  const before = await readBefore(flags, 'model');
  const { device, capabilities } = made;
  const { context, notes } = await openBench(made, flags);
  try {
    for (const line of notes) reporter.note(line);
    const machine = machineOf(capabilities, host.commit);
    expectComparable(before, { machine }, flags);
    reporter.note(describeMachine(machine));
    const { collectProfiles, expectReports, writeReports } = await import('./bench-files.ts');
    await expectReports(device, flags);
    const profiles = collectProfiles({ machine, model: flags.model, tile });
    const able: readonly Precision[] = capabilities.shaderF16 ? ['f16', 'f32'] : ['f32'];
    const results = await measurePaths(context, model, {
      precisions: flags.precision === 'auto' ? able : [flags.precision],
      tile,
      timesteps: TIMESTEPS[steps] ?? [],
      runs,
      signal,
      onProgress: (text) => reporter.note(text),
      onProfile: profiles.onProfile,
    });
    const rows = results.map(({ precision, wall }) => ({
      id: `${flags.model} ${precision}, tile ${tile}, ${steps} steps: upload to readback`,
      milliseconds: wall,
    }));
    const record = { bench: 'model' as const, machine, model: flags.model, tile, rows, results };
    const lines = (): string[] => results.flatMap((result) => linesOf(result, flags.top));
    await give({ record, lines }, before, flags, work);
    await writeReports({ profiles: profiles.found }, flags, work);
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
