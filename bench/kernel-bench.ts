/**
 * Cases timed one after another, with the adapter's ceilings in the same run: the record that the
 * command line, the browser's page and the reports share. Nothing of Node, of tests or of files.
 *
 * A case that cannot run here is skipped with its reason; when the device is lost or the caller
 * aborts, what was measured until then is the record, and it says so.
 */
import type { EngineContext } from '../src/engine/context.ts';
import type { Cost, Kernel, SubgroupMatrix } from '../src/engine/kernel.ts';
import type { Spread } from '../src/invsr/measure.ts';
import type { BenchCase } from './cases.ts';
import { withinFlops } from './cases.ts';
import { measureCeilings, rooflineOf } from './ceilings.ts';
import { type Clock, openClock } from './clock.ts';
import {
  type Ceilings,
  type KernelRecord,
  type KernelRow,
  type Machine,
  type PeerFigure,
  tunedClassesOf,
} from './record.ts';
import { stepOf } from './steps.ts';
import { timeSteps } from './time-kernel.ts';

export interface KernelBenchOptions {
  readonly machine: Machine;
  readonly precision: 'f16' | 'f32';
  /** Timed dispatches, or batches, of each kernel. */
  readonly samples: number;
  /** Each kernel is watched no longer. @default 3 */
  readonly seconds?: number | undefined;
  /** Larger cases are cut. @default 2e9 on software adapters, else none is */
  readonly maxFlops?: number | undefined;
  /** What rotating inputs should exceed. @default 64 MiB */
  readonly cacheBytes?: number | undefined;
  /** Those of this device, if they were measured in this run already. */
  readonly ceilings?: Ceilings | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onClock?: ((clock: Clock) => void) | undefined;
  readonly onCeilings?: ((ceilings: Ceilings) => void) | undefined;
  readonly onRow?: ((row: KernelRow, at: Position) => void) | undefined;
  readonly onSkip?: ((skip: KernelRecord['skipped'][number]) => void) | undefined;
  /** The same work on another engine, right after ours; or why it has no figure. */
  readonly beside?: ((one: BenchCase, kernel: Kernel) => Promise<PeerFigure | string>) | undefined;
}

export interface Position {
  readonly index: number;
  readonly total: number;
}

const SOFTWARE_MAX_FLOPS = 2e9;
const CEILING_SAMPLES = 10;

export async function benchKernels(
  context: EngineContext,
  cases: readonly BenchCase[],
  options: KernelBenchOptions,
): Promise<KernelRecord> {
  const { machine, precision, signal, onRow, onSkip, beside } = options;
  const { target, capabilities } = context;
  const limit = options.maxFlops ?? (capabilities.isSoftware ? SOFTWARE_MAX_FLOPS : Infinity);
  const clock = await openClock(context);
  options.onClock?.(clock);
  const ceilings =
    options.ceilings ??
    (await measureCeilings(context, { clock, samples: CEILING_SAMPLES, signal }));
  options.onCeilings?.(ceilings);

  const rows: KernelRow[] = [];
  const skipped: { id: string; why: string }[] = [];
  const skip = (id: string, why: string): void => {
    skipped.push({ id, why });
    onSkip?.({ id, why });
  };
  let incomplete: string | undefined;
  for (const [index, whole] of cases.entries()) {
    try {
      signal?.throwIfAborted();
      context.lost.throwIfAborted();
      const one = withinFlops(whole, target, limit);
      if (typeof one === 'string') {
        skip(whole.id, one);
        continue;
      }
      const kernel = one.kernel(target);
      const { inputs, data, aliases } = one;
      const work = { inputs, data, aliases };
      const steps = one.steps?.(target) ?? [stepOf(kernel)];
      const milliseconds = await timeSteps(context, steps, { ...options, clock, ...work });
      const design = one.design?.(target) ?? kernel.choice?.design;
      const measured = rowOf(one, kernel.cost, {
        milliseconds,
        ceilings,
        matrix: target.matrix,
        design,
      });
      // What keeps the peer from its figure takes nothing from ours.
      const peer = await beside?.(one, kernel).catch(messageOf);
      const row =
        typeof peer === 'string'
          ? { ...measured, noPeer: peer }
          : { ...measured, ...(peer && { peer }) };
      rows.push(row);
      onRow?.(row, { index, total: cases.length });
    } catch (error) {
      incomplete = await endOf(context, signal);
      if (incomplete !== undefined) {
        incomplete = `${incomplete}; ${rows.length} of ${cases.length} kernels were measured`;
        break;
      }
      skip(whole.id, messageOf(error));
    }
  }
  const { family, shaderF16, subgroupSize, matrix } = target;
  const { kind, quantumNanoseconds } = clock;
  return {
    bench: 'kernels',
    machine,
    target: { family, shaderF16, subgroupSize, ...(matrix && { matrix }) },
    precision,
    tunedClasses: tunedClassesOf(target),
    clock: { kind, quantumNanoseconds },
    ceilings,
    rows,
    skipped,
    ...(incomplete !== undefined && { incomplete }),
  };
}

interface Measured {
  readonly milliseconds: Spread;
  readonly ceilings: Ceilings;
  readonly matrix: SubgroupMatrix | undefined;
  readonly design: string | undefined;
}

function rowOf(
  one: BenchCase,
  cost: Cost,
  { milliseconds, ceilings, matrix, design }: Measured,
): KernelRow {
  const { id, op, variant, size, network, count, counts, isPrepared, cut } = one;
  const { flops, bytes } = cost;
  const { median } = milliseconds;
  return {
    id,
    op,
    variant,
    size,
    network,
    count,
    ...(counts && { counts }),
    ...(isPrepared && { isPrepared }),
    milliseconds,
    flops,
    bytes,
    gflops: flops / median / 1e6,
    gbytes: bytes / median / 1e6,
    ...rooflineOf(one, cost, { milliseconds: median, ceilings, matrix }),
    ...(design !== undefined && { design }),
    ...(cut !== undefined && { cut }),
  };
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** A lost device rejects its mapping a moment before it says that it is lost. */
const LOSS_MS = 100;

/** Why nothing more can be measured; undefined where only this kernel is at fault. */
async function endOf(
  { lost }: EngineContext,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  if (signal?.aborted) return 'interrupted';
  if (!lost.aborted) await new Promise((resolve) => setTimeout(resolve, LOSS_MS));
  if (lost.aborted) return messageOf(lost.reason);
  return undefined;
}
