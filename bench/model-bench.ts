/**
 * Time of the embedded model's whole path for one tile, 128 → 512 in one step: wall time of warm
 * runs, GPU time per network, and, beside it, a peer that runs the same networks in turns with us.
 */
import type { EngineContext } from '../src/engine/context.ts';
import type { DispatchTiming } from '../src/engine/profiler.ts';
import {
  groupTimings,
  medianTimings,
  type NetworkName,
  networkOf,
  openPath,
  type Spread,
  spreadOf,
  type TimingGroup,
} from '../src/invsr/measure.ts';
import type { Model } from '../src/invsr/model.ts';
import { toNchw } from '../src/invsr/parity.ts';
import { type NetworkCase, openNetwork, relativeError, TILE } from './networks.ts';
import type { PeerNetwork } from './peers/ort.ts';

export type Precision = 'f16' | 'f32';

export interface PathResult {
  readonly precision: Precision;
  readonly flops: number;
  /** Milliseconds with upload and readback. */
  readonly wall: Spread;
  /** Sum of the dispatches' own times, median of each. */
  readonly gpuMilliseconds: number;
  readonly networks: readonly TimingGroup[];
  /** By kernel and variant. */
  readonly kinds: readonly TimingGroup[];
}

/** Largest relative rms difference from the peer; f32 sums in another order, f16 by storage. */
const AGREEMENT: Readonly<Record<Precision, number>> = { f32: 2e-5, f16: 1e-2 };

export interface PeerResult {
  readonly network: NetworkName;
  readonly peer: Spread;
  /** What the peer says of this network, such as its tensor layout. */
  readonly note: string;
  readonly ours: readonly {
    readonly precision: Precision;
    readonly wall: Spread;
    readonly relativeError: number;
  }[];
}

export interface Rounds {
  readonly runs: number;
  readonly onProgress?: (text: string) => void;
}

const PROFILES = 3;

/** Rounds over the precisions, so that a disturbance of the machine meets all of them. */
export async function benchPath(
  context: EngineContext,
  model: Model,
  precisions: readonly Precision[],
  { runs, onProgress }: Rounds,
): Promise<PathResult[]> {
  const sides: {
    precision: Precision;
    path: Awaited<ReturnType<typeof openPath>>;
    walls: number[];
    profiles: DispatchTiming[][];
  }[] = [];
  try {
    for (const precision of precisions) {
      onProgress?.(`path ${precision}: warm-up`);
      const path = await openPath(context, model, { precision, tile: TILE, timesteps: [200] });
      sides.push({ precision, path, walls: [], profiles: [] });
      await path.run();
    }
    for (let round = 0; round < runs; round++) {
      for (const { precision, path, walls, profiles } of sides) {
        onProgress?.(`path ${precision}: round ${round + 1} of ${runs}`);
        walls.push((await path.run()).milliseconds);
        if (round < PROFILES) profiles.push(await path.profile());
      }
    }
    return sides.map(({ precision, path, walls, profiles }) => {
      const timings = medianTimings(profiles);
      return {
        precision,
        flops: path.plan.dispatches.reduce((sum, { kernel }) => sum + kernel.cost.flops, 0),
        wall: spreadOf(walls),
        gpuMilliseconds: timings.reduce((sum, { nanoseconds }) => sum + nanoseconds / 1e6, 0),
        networks: groupTimings(timings, ({ path }) => networkOf(path)),
        kinds: groupTimings(timings, ({ name, variant }) => `${name} ${variant}`),
      };
    });
  } finally {
    for (const { path } of sides) path.dispose();
  }
}

/** Ours and the peer's run of one network in turns; outputs are compared before anything is timed. */
export async function benchBeside(
  context: EngineContext,
  model: Model,
  { network, peer }: { readonly network: NetworkCase; readonly peer: PeerNetwork },
  { precisions, runs, onProgress }: Rounds & { readonly precisions: readonly Precision[] },
): Promise<PeerResult> {
  const ours: {
    precision: Precision;
    work: Awaited<ReturnType<typeof openNetwork>>;
    error: number;
    walls: number[];
  }[] = [];
  try {
    const expected = (await peer.run()).values;
    for (const precision of precisions) {
      const work = await openNetwork(context, model, network, precision);
      const error = relativeError(await nchwResult(work, network), expected);
      ours.push({ precision, work, error, walls: [] });
      if (!(error <= AGREEMENT[precision])) {
        throw new Error(
          `${network.name}: ours (${precision}) differs from the peer by ${error.toExponential(2)} of its standard deviation, expected at most ${AGREEMENT[precision]}: no times`,
        );
      }
    }
    const peerWalls: number[] = [];
    for (let round = 0; round < runs; round++) {
      onProgress?.(`${network.name} beside the peer: round ${round + 1} of ${runs}`);
      for (const { work, walls } of ours) walls.push((await work.run()).milliseconds);
      peerWalls.push((await peer.run()).milliseconds);
    }
    return {
      network: network.name,
      peer: spreadOf(peerWalls),
      note: peer.note,
      ours: ours.map(({ precision, error, walls }) => ({
        precision,
        wall: spreadOf(walls),
        relativeError: error,
      })),
    };
  } finally {
    for (const { work } of ours) work.dispose();
  }
}

/** Our output as the peer has it. */
async function nchwResult(
  work: Awaited<ReturnType<typeof openNetwork>>,
  { channels }: NetworkCase,
): Promise<Float32Array> {
  const type = work.plan.named['result']?.type;
  if (!type) throw new Error('the network has no tensor named result');
  return toNchw((await work.run()).values, type.shape, { count: channels }).data;
}
