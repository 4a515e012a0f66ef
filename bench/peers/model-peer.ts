/** `npm run bench -- model --peer ort`: each network of the embedded model on onnxruntime, in turns with ours. */
import type { EngineContext } from '../../src/engine/context.ts';
import type { Precision } from '../../src/invsr/measure-path.ts';
import type { Model } from '../../src/invsr/model.ts';
import { readTensors } from '../../src/weights/tensor-reads.ts';
import { toHalf } from '../../src/weights/half.ts';
import { toF32 } from '../../src/weights/layout.ts';
import { fileSource } from '../../src/weights/node-file.ts';
import { packageVersion } from '../machine.ts';
import { type NchwTensor, type NetworkCase, networkCases } from '../networks.ts';
import { benchBeside, type PeerResult } from '../peer-bench.ts';
import type { PeerRecord } from '../report.ts';
import { MODEL, readGraphs } from './graphs.ts';
import { halfModel } from './onnx-half.ts';
import { type Ort, type OrtLayout, type OrtOptions, type PeerNetwork, startOrt } from './ort.ts';

export interface PeerFlags {
  /** Part of the networks' names. */
  readonly filter: string;
  readonly onnx?: string;
  readonly ortLayout: OrtLayout | 'best';
}

export interface Measured {
  readonly context: EngineContext;
  readonly model: Model;
  readonly precisions: readonly Precision[];
  readonly runs: number;
  readonly note: (text: string) => void;
}

export async function modelBesideOrt(
  { context, model, precisions, runs, note }: Measured,
  { onnx, ortLayout, filter }: PeerFlags,
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
