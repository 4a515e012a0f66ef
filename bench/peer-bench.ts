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

/** Ours and the peer's run of one network in turns; outputs are compared before anything is timed. */
export async function benchBeside(
  context: EngineContext,
  model: Model,
  { network, peer }: { readonly network: NetworkCase; readonly peer: PeerNetwork },
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
async function nchwResult(work: Workload, { channels }: NetworkCase): Promise<Float32Array> {
  const type = work.plans.at(-1)?.named['result']?.type;
  if (!type) throw new Error('the network has no tensor named result');
  return toNchw((await work.run()).values, type.shape, { count: channels }).data;
}
