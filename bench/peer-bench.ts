/**
 * A network on our engine and on a peer, in turns on the same adapter. Both sides' times include the
 * upload of the inputs and the readback of the output.
 */
import type { EngineContext } from '../src/engine/context.ts';
import { type NetworkName, type Spread, spreadOf, type Workload } from '../src/invsr/measure.ts';
import type { Precision } from '../src/invsr/measure-path.ts';
import type { Model } from '../src/invsr/model.ts';
import { toNchw } from '../src/invsr/parity.ts';
import { type NetworkCase, openNetwork, relativeError } from './networks.ts';
import type { PeerNetwork } from './peers/ort.ts';

/** Largest relative rms difference from the peer; f32 sums in another order, f16 by storage. */
const AGREEMENT: Readonly<Record<Precision, number>> = { f32: 2e-5, f16: 1e-2 };

/**
 * The same of the peer's network in f16. Its sums are in f16 too, so that a network's layers add up to
 * some percent (the table has the difference); what is computed wrongly is of the order of one.
 */
const HALF_AGREEMENT = 0.05;

export interface PeerResult {
  readonly network: NetworkName;
  /** In f32. */
  readonly peer: Spread;
  /** In f16, where it was run. */
  readonly half?: HalfResult;
  /** What the peer says of this network, such as its tensor layout. */
  readonly note: string;
  readonly ours: readonly {
    readonly precision: Precision;
    readonly wall: Spread;
    readonly relativeError: number;
  }[];
}

export interface HalfResult {
  /** Absent where it could not be compared: `note` says why. */
  readonly wall?: Spread;
  /** From ours in f16. */
  readonly relativeError?: number;
  readonly note: string;
}

export interface Rounds {
  readonly runs: number;
  readonly onProgress?: (text: string) => void;
}

/** Ours and the peer's run of one network in turns; outputs are compared before anything is timed. */
export async function benchBeside(
  context: EngineContext,
  model: Model,
  {
    network,
    peer,
    half,
  }: {
    readonly network: NetworkCase;
    readonly peer: PeerNetwork;
    /** The same in f16, or why there is none. */
    readonly half?: PeerNetwork | string | undefined;
  },
  { precisions, runs, onProgress }: Rounds & { readonly precisions: readonly Precision[] },
): Promise<PeerResult> {
  const ours: {
    precision: Precision;
    work: Workload;
    error: number;
    walls: number[];
  }[] = [];
  try {
    const expected = (await peer.run()).values;
    let ownHalf: Float32Array | undefined;
    for (const precision of precisions) {
      const work = await openNetwork(context, model, network, precision);
      const result = await nchwResult(work, network);
      if (precision === 'f16') ownHalf = result;
      const error = relativeError(result, expected);
      ours.push({ precision, work, error, walls: [] });
      if (!(error <= AGREEMENT[precision])) {
        throw new Error(
          `${network.name}: ours (${precision}) differs from the peer by ${error.toExponential(2)} of its standard deviation, expected at most ${AGREEMENT[precision]}: no times`,
        );
      }
    }
    const besideHalf = ownHalf && half !== undefined && (await openHalf(half, ownHalf));
    const peerWalls: number[] = [];
    for (let round = 0; round < runs; round++) {
      onProgress?.(`${network.name} beside the peer: round ${round + 1} of ${runs}`);
      for (const { work, walls } of ours) walls.push((await work.run()).milliseconds);
      peerWalls.push((await peer.run()).milliseconds);
      if (besideHalf) await besideHalf.round();
    }
    return {
      network: network.name,
      peer: spreadOf(peerWalls),
      note: peer.note,
      ...(besideHalf && { half: besideHalf.result() }),
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

interface Half {
  round(): Promise<void>;
  result(): HalfResult;
}

/** The peer's network in f16, compared with ours; without rounds where they differ. */
async function openHalf(half: PeerNetwork | string, ours: Float32Array): Promise<Half> {
  const refused = (note: string): Half => ({ round: async () => {}, result: () => ({ note }) });
  if (typeof half === 'string') return refused(half);
  const error = relativeError(ours, (await half.run()).values);
  if (!(error <= HALF_AGREEMENT)) {
    return refused(`differs from ours by ${error.toExponential(1)}, so no times`);
  }
  const walls: number[] = [];
  return {
    async round() {
      walls.push((await half.run()).milliseconds);
    },
    result: () => ({ wall: spreadOf(walls), relativeError: error, note: half.note }),
  };
}

/** Our output as the peer has it. */
async function nchwResult(work: Workload, { channels }: NetworkCase): Promise<Float32Array> {
  const type = work.plans.at(-1)?.named['result']?.type;
  if (!type) throw new Error('the network has no tensor named result');
  return toNchw((await work.run()).values, type.shape, { count: channels }).data;
}
