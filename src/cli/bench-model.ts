/** `invsr bench model`: how fast a model's whole path runs here. */
import { Command } from 'commander';
import { describeMachine, machineOf } from '../../bench/machine.ts';
import { tunedClassesOf } from '../../bench/record.ts';
import { modelReport, type PeerRecord } from '../../bench/report.ts';
import type { EngineContext } from '../engine/context.ts';
import { createDevice, type NodeDevice } from '../engine/node-device.ts';
import { measurePaths, type Precision } from '../invsr/measure-path.ts';
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
import type { CommandContext } from './progress.ts';

interface ModelFlags extends DeviceFlags, OutputFlags, ReportFlags {
  readonly model: string;
  readonly steps: number;
  readonly tile: number;
  readonly runs: number;
  readonly top: number;
  readonly markdown?: boolean;
}

/** What is measured, for who measures it on another engine too. */
export interface ModelBench {
  readonly context: EngineContext;
  readonly model: Model;
  readonly precisions: readonly Precision[];
  readonly flags: Pick<ModelFlags, 'model' | 'tile' | 'steps' | 'runs'>;
}

/** What a clone adds to the installed command. */
export interface ModelHost extends BenchHost {
  /** Throws what keeps `beside` from its figures, before anything is measured. */
  readonly expect?: (flags: ModelBench['flags']) => void;
  /** The networks on another engine, after ours. */
  readonly beside?: (bench: ModelBench) => Promise<PeerRecord | undefined>;
}

export function modelCommand(work: CommandContext, host: ModelHost): Command {
  const command = new Command('model')
    .description('Time of one tile: wall, GPU time by network and by kind of dispatch.')
    .option('--model <name|dir>', 'as for upscale', 'invsr-nano')
    .option('--steps <n>', `denoising steps, 1 to ${MAX_STEPS}`, integer(1, MAX_STEPS), 1)
    .option('--tile <pixels>', 'tile side in input pixels', tileSize, 128)
    .option('--runs <n>', 'timed runs, after one that warms up', integer(1, 1000), 5)
    .option('--top <n>', 'kinds of dispatches to list', integer(0), 15)
    .option('--markdown', 'tables in Markdown');
  return withReportFlags(withOutputFlags(withDeviceFlags(command))).action((flags: ModelFlags) =>
    bench(flags, work, host),
  );
}

async function bench(flags: ModelFlags, work: CommandContext, host: ModelHost): Promise<void> {
  host.expect?.(flags);
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
  readonly host: ModelHost;
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
    const precisions = flags.precision === 'auto' ? able : [flags.precision];
    const paths = await measurePaths(context, model, {
      precisions,
      tile,
      timesteps: TIMESTEPS[steps] ?? [],
      runs,
      signal,
      onProgress: (text) => reporter.note(text),
      onProfile: profiles.onProfile,
    });
    const rows = paths.map(({ precision, wall }) => ({
      id: `${flags.model} ${precision}, tile ${tile}, ${steps} steps: upload to readback`,
      milliseconds: wall,
    }));
    const peer = await host.beside?.({ context, model, precisions, flags });
    const facts = { bench: 'model', machine, model: flags.model, tile } as const;
    const tunedClasses = tunedClassesOf(context.target);
    const record = { ...facts, tunedClasses, rows, paths, ...(peer && { peer }) };
    const lines = (): string[] => [
      modelReport(record, { top: flags.top, isMarkdown: flags.markdown ?? false }),
    ];
    await give({ record, lines }, before, flags, work);
    await writeReports({ profiles: profiles.found }, flags, work);
  } finally {
    context.dispose();
  }
}
