/** `npm run bench -- model`: the whole path, and with --peer each network beside another engine. */
import { type EngineContext } from '../src/engine/context.ts';
import { measurePaths, type PathOptions, type Precision } from '../src/invsr/measure-path.ts';
import type { Model } from '../src/invsr/model.ts';
import { readTensors } from '../src/weights/checkpoint.ts';
import { toHalf } from '../src/weights/half.ts';
import { toF32 } from '../src/weights/layout.ts';
import { fileSource } from '../src/weights/node-file.ts';
import { packageVersion } from './machine.ts';
import { type NchwTensor, type NetworkCase, networkCases, TILE } from './networks.ts';
import { benchBeside, type PeerResult } from './peer-bench.ts';
import { MODEL, readGraphs } from './peers/graphs.ts';
import { halfModel } from './peers/onnx-half.ts';
import {
  expectOrt,
  type Ort,
  type OrtLayout,
  type OrtOptions,
  type PeerNetwork,
  startOrt,
} from './peers/ort.ts';
import type { Machine } from './record.ts';
import type { ModelRecord } from './report.ts';

export interface ModelFlags {
  readonly filter: string;
  readonly runs: number;
  readonly peer?: 'ort';
  readonly onnx?: string;
  readonly ortLayout: OrtLayout | 'best';
}

export interface Opened {
  readonly context: EngineContext;
  readonly model: Model;
  readonly machine: Machine;
  readonly precisions: readonly Precision[];
  readonly signal: AbortSignal;
  readonly note: (text: string) => void;
}

/** What is missing for the peer, before anything else is done. */
export const expectPeer = ({ peer }: ModelFlags): void => {
  if (peer) expectOrt();
};

export async function benchModel(
  opened: Opened,
  flags: ModelFlags,
  onProfile?: PathOptions['onProfile'],
): Promise<ModelRecord> {
  const { context, model, machine, precisions, signal, note } = opened;
  const paths = await measurePaths(context, model, {
    precisions,
    tile: TILE,
    timesteps: [200],
    runs: flags.runs,
    signal,
    onProgress: note,
    onProfile,
  });
  const peer = flags.peer && (await besideOrt(opened, flags));
  return { machine, paths, peer };
}

export interface PeerRecord {
  readonly name: string;
  readonly drivers: readonly string[];
  readonly networks: readonly PeerResult[];
}

async function besideOrt(
  { context, model, precisions, note }: Opened,
  { onnx, ortLayout, filter, runs }: ModelFlags,
): Promise<PeerRecord> {
  const graphs = await readGraphs(onnx);
  const ort = await startOrt(context.capabilities);
  try {
    const networks: PeerResult[] = [];
    for (const network of networkCases(model, await prompt())) {
      const graph = graphs.get(network.name);
      if (!graph || !network.name.includes(filter)) continue;
      note(`${network.name}: onnxruntime compiles`);
      const peer = await ort.open(graph, { feeds: network.inputs, layout: ortLayout });
      const half = precisions.includes('f16')
        ? await openHalf(ort, { graph, feeds: network.inputs, layout: ortLayout })
        : undefined;
      const rounds = { precisions, runs, onProgress: note };
      networks.push(await benchBeside(context, model, { network, peer, half }, rounds));
      await peer.close();
      if (typeof half === 'object') await half.close();
    }
    const version = packageVersion('bench/peers/node_modules/onnxruntime-node');
    return { name: `onnxruntime-node ${version}`, drivers: await ort.drivers(), networks };
  } finally {
    ort.dispose();
  }
}

/** The network with weights, inputs and outputs in f16; or what keeps the peer from it. */
async function openHalf(
  ort: Ort,
  {
    graph,
    feeds,
    layout,
  }: OrtOptions & { readonly graph: Uint8Array; readonly feeds: NetworkCase['inputs'] },
): Promise<PeerNetwork | string> {
  const halves = Object.entries(feeds).map(
    ([name, { shape, data }]) => [name, { shape, data: toHalf(data) }] as const,
  );
  try {
    return await ort.open(halfModel(graph), { feeds: Object.fromEntries(halves), layout });
  } catch (error) {
    return error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error);
  }
}

async function prompt(): Promise<NchwTensor> {
  const tensors = await readTensors(await fileSource(`${MODEL}/prompt_embeds.safetensors`));
  const embeds = tensors.get('prompt_embeds');
  if (!embeds) throw new Error(`${MODEL} has no prompt_embeds`);
  return { shape: embeds.shape, data: toF32(embeds) };
}
