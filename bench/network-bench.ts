/** Each network of a model as a graph of its own: wall time with upload and readback, and GPU time. */
import type { EngineContext } from '../src/engine/context.ts';
import { totalFlops } from '../src/engine/plan.ts';
import { type NetworkName, type Spread, spreadOf } from '../src/invsr/measure.ts';
import type { Precision } from '../src/invsr/measure-path.ts';
import type { Model } from '../src/invsr/model.ts';
import { type NetworkCase, networkCases, openNetwork } from './networks.ts';
import { BenchInputError } from './read-record.ts';
import { type Machine, tunedClassesOf } from './record.ts';
import { digits, textTable } from './table.ts';

export interface NetworkRow {
  readonly id: string;
  readonly network: NetworkName;
  readonly precision: Precision;
  /** Upload of the inputs to readback of the result. */
  readonly milliseconds: Spread;
  /** Sums over the dispatches of profiled runs, where the device has timestamps. */
  readonly gpuMilliseconds?: Spread;
  readonly dispatches: number;
  readonly flops: number;
}

export interface NetworkRecord {
  readonly bench: 'networks';
  readonly machine: Machine;
  readonly model: string;
  readonly tunedClasses?: number;
  readonly rows: readonly NetworkRow[];
  /** Why the run ended before its last network. */
  readonly incomplete?: string;
}

export interface NetworkOptions {
  readonly machine: Machine;
  /** The model, as it was asked for. */
  readonly name: string;
  readonly precisions: readonly Precision[];
  readonly runs: number;
  readonly filter: string;
  readonly signal: AbortSignal;
  readonly onProgress: (text: string) => void;
}

/** One network at a time on the device. When the device is lost the record has what came before. */
export async function benchNetworks(
  context: EngineContext,
  model: Model,
  options: NetworkOptions,
): Promise<NetworkRecord> {
  const { machine, name, precisions, filter, signal, onProgress } = options;
  // The prompt is for peers; ours comes with the weights.
  const all = networkCases(model, { shape: [], data: new Float32Array() });
  const cases = all.filter((one) => one.name.includes(filter));
  if (cases.length === 0) {
    const names = all.map((one) => one.name).join(', ');
    throw new BenchInputError(`no network matches --filter ${filter}; there are ${names}`);
  }
  const rows: NetworkRow[] = [];
  let incomplete: string | undefined;
  try {
    for (const network of cases) {
      for (const precision of precisions) {
        onProgress(`${network.name} ${precision}`);
        rows.push(await benchNetwork(context, model, { ...options, network, precision }));
      }
    }
  } catch (error) {
    if (signal.aborted || rows.length === 0) throw error;
    incomplete = error instanceof Error ? error.message : String(error);
  }
  return {
    bench: 'networks',
    machine,
    model: name,
    tunedClasses: tunedClassesOf(context.target),
    rows,
    ...(incomplete !== undefined && { incomplete }),
  };
}

interface OneNetwork extends NetworkOptions {
  readonly network: NetworkCase;
  readonly precision: Precision;
}

async function benchNetwork(
  context: EngineContext,
  model: Model,
  { name, network, precision, runs, signal }: OneNetwork,
): Promise<NetworkRow> {
  const canProfile = context.device.features.has('timestamp-query');
  const work = await openNetwork(context, model, network, precision);
  try {
    await work.run();
    const walls: number[] = [];
    const gpu: number[] = [];
    for (let run = 0; run < runs; run++) {
      signal.throwIfAborted();
      walls.push((await work.run()).milliseconds);
      if (!canProfile) continue;
      const timings = await work.profile();
      const sum = timings.reduce((total, { nanoseconds }) => total + nanoseconds / 1e6, 0);
      if (sum > 0) gpu.push(sum); // else timestamps stand still
    }
    const dispatches = work.plans.flatMap((plan) => plan.dispatches);
    return {
      id: `${name} ${network.name} ${precision}`,
      network: network.name,
      precision,
      milliseconds: spreadOf(walls),
      ...(gpu.length > 0 && { gpuMilliseconds: spreadOf(gpu) }),
      dispatches: dispatches.length,
      flops: totalFlops(dispatches),
    };
  } finally {
    work.dispose();
  }
}

export const networkLines = ({ rows, incomplete }: NetworkRecord): string[] => [
  textTable(
    [
      { title: 'network', align: 'left', cell: ({ network }) => network },
      { title: 'precision', align: 'left', cell: ({ precision }) => precision },
      { title: 'wall ms', cell: ({ milliseconds }) => digits(milliseconds.median) },
      { title: 'p10', cell: ({ milliseconds }) => digits(milliseconds.p10) },
      { title: 'p90', cell: ({ milliseconds }) => digits(milliseconds.p90) },
      { title: 'GPU ms', cell: (row) => digits(row.gpuMilliseconds?.median ?? Number.NaN) },
      { title: 'dispatches', cell: ({ dispatches }) => String(dispatches) },
      {
        title: 'GFLOP/s',
        cell: ({ flops, milliseconds }) => digits(flops / milliseconds.median / 1e6),
      },
    ],
    rows,
  ),
  ...(incomplete === undefined ? [] : [`INCOMPLETE: ${incomplete}`]),
];
