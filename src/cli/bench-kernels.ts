/** `invsr bench kernels`: every kernel of a tile's path, one at a time, at the shapes it has there. */
import { Command } from 'commander';
import { type BenchCase, modelCases, selectCases } from '../../bench/cases.ts';
import { benchKernels, type KernelBenchOptions } from '../../bench/kernel-bench.ts';
import { ceilingLine, kernelLines } from '../../bench/kernel-report.ts';
import { describeMachine, machineOf } from '../../bench/machine.ts';
import { digits } from '../../bench/table.ts';
import { createContext, type EngineContext } from '../engine/context.ts';
import type { Target } from '../engine/kernel.ts';
import { createDevice } from '../engine/node-device.ts';
import { FULL_SIZE } from '../invsr/full-size.ts';
import { openModel } from '../invsr/model.ts';
import { type HtmlFlags, withHtmlFlag, writeReports } from './bench-files.ts';
import {
  type BenchHost,
  type DeviceFlags,
  expectComparable,
  give,
  type OutputFlags,
  readBefore,
  withDeviceFlags,
  withOutputFlags,
} from './bench-output.ts';
import { InputError } from './errors.ts';
import { modelFolder } from './models.ts';
import { integer, number, tileSize } from './options.ts';
import type { CommandContext } from './upscale.ts';

interface KernelFlags extends DeviceFlags, OutputFlags, HtmlFlags {
  readonly filter: string;
  readonly shape: string;
  readonly network: string;
  readonly model: string;
  readonly tile: number;
  readonly samples: number;
  readonly seconds: number;
  readonly maxGflop?: number;
  readonly list?: boolean;
}

/** What a clone adds to the installed command. */
export interface KernelHost extends BenchHost {
  /** Beside those of the models. */
  readonly cases?: (target: Target) => BenchCase[];
  /** Another engine's time of the same case. */
  readonly beside?: (context: EngineContext) => KernelBenchOptions['beside'];
}

const NETWORK_NAMES = 'noise_predictor, vae.encoder, unet, vae.decoder or other';

export function kernelsCommand(work: CommandContext, host: KernelHost): Command {
  const command = new Command('kernels')
    .description(
      'Time of single kernels at every shape that one tile of InvSR-1, and of a model, has them; no weights are needed.',
    )
    .option('--filter <text>', 'those whose op, shapes, size or network contain it', '')
    .option('--shape <sizes>', 'those of this size, such as 4096x512 (rows x columns x terms)', '')
    .option('--network <name>', `those of ${NETWORK_NAMES}`, '')
    .option('--model <name|dir>', 'the model beside InvSR-1', 'invsr-nano')
    .option('--tile <pixels>', 'tile side in input pixels', tileSize, 128)
    .option('--samples <n>', 'times taken of each', integer(5), 20)
    .option('--seconds <n>', 'watch none longer, but for five times', number(0.01, 3600), 3)
    .option(
      '--max-gflop <n>',
      'cut larger ones in rows (default: 2 on software adapters, else none)',
      number(0.001, 1e6),
    )
    .option('--list', 'names what would be timed');
  return withHtmlFlag(withOutputFlags(withDeviceFlags(command))).action((flags: KernelFlags) =>
    kernels(flags, work, host),
  );
}

async function kernels(flags: KernelFlags, work: CommandContext, host: KernelHost): Promise<void> {
  const { reporter, signal } = work;
  const before = await readBefore(flags, 'kernels');
  const { device, capabilities, notice } = await createDevice({ adapter: flags.adapter });
  const context = createContext(device);
  try {
    const machine = machineOf(capabilities, host.commit);
    expectComparable(before, { machine }, flags);
    const precision = precisionOf(flags, capabilities);
    const all = [
      ...(await casesOf(flags, precision, capabilities.family === 'cpu')),
      ...(host.cases?.(context.target) ?? []),
    ];
    const cases = selectCases(all, flags);
    if (cases.length === 0) throw new InputError(nothingMatches(flags, all));
    if (flags.list) {
      const lines = cases.map(
        ({ network, count, id, size }) => `${network}  ${count} × ${id}  (${size})`,
      );
      reporter.result({ bench: 'list', cases: cases.map(({ id }) => id) }, lines);
      return;
    }
    if (notice !== undefined) reporter.note(notice);
    reporter.note(describeMachine(machine));
    const record = await benchKernels(context, cases, {
      machine,
      precision,
      samples: flags.samples,
      seconds: flags.seconds,
      ...(flags.maxGflop !== undefined && { maxFlops: 1e9 * flags.maxGflop }),
      signal,
      onClock: ({ why }) => why !== undefined && reporter.note(why),
      onCeilings: (ceilings) => reporter.note(ceilingLine(ceilings)),
      onRow: ({ milliseconds, id, size }, { index, total }) =>
        reporter.note(`${index + 1}/${total}  ${digits(milliseconds.median)} ms  ${size}  ${id}`),
      onSkip: ({ id, why }) => reporter.warning(`${id}: ${why}`, { id }),
      beside: host.beside?.(context),
    });
    await give({ record, lines: () => kernelLines(record) }, before, flags, work);
    await writeReports({ kernels: record }, flags, work);
    if (record.incomplete !== undefined && !signal.aborted) throw new Error(record.incomplete);
    signal.throwIfAborted();
    if (record.rows.length === 0) throw new Error('no kernel gave a figure');
  } finally {
    await device.queue.onSubmittedWorkDone().catch(() => {}); // see session.ts
    context.dispose();
    device.destroy();
  }
}

function precisionOf(
  { precision }: KernelFlags,
  { shaderF16 }: { readonly shaderF16: boolean },
): 'f16' | 'f32' {
  if (precision !== 'auto') return precision;
  return shaderF16 ? 'f16' : 'f32';
}

async function casesOf(
  { model, tile }: KernelFlags,
  precision: 'f16' | 'f32',
  compact: boolean,
): Promise<BenchCase[]> {
  const options = { precision, tile, timesteps: [200], compact };
  const opened = await openModel(await modelFolder(model));
  try {
    const own = modelCases({ model: opened, name: model }, options);
    const full = modelCases({ model: FULL_SIZE, name: '' }, options);
    const known = new Set(full.map(({ id }) => id));
    return [...full, ...own.filter(({ id }) => !known.has(id))];
  } finally {
    await opened.close();
  }
}

/** What was asked for, and what there is. */
function nothingMatches(
  { filter, shape, network }: KernelFlags,
  all: readonly BenchCase[],
): string {
  const asked = Object.entries({ filter, shape, network })
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `--${name} ${value}`);
  const ops = [...new Set(all.map(({ op }) => op))].toSorted();
  const counts = ops.map((op) => `${op} (${all.filter((one) => one.op === op).length})`);
  const networks = [...new Set(all.map((one) => one.network))];
  return `no kernel matches ${asked.join(' ')}; there are ${counts.join(', ')}; in ${networks.join(', ')}; --list shows them with their shapes`;
}
