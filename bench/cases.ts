/**
 * What is benched: every distinct node of a model's graphs, fused as for a run, with its count, and
 * the products that fusing more would make of them. Derived from the graphs, so that nothing drifts;
 * `FULL_SIZE` needs no weights, so that browsers and the installed package have the same cases.
 */
import { type Kernel, type Target, type TensorType } from '../src/engine/kernel.ts';
import { fuse } from '../src/graph/fuse.ts';
import { inputsOf, type Node } from '../src/graph/graph.ts';
import { constantNodes } from '../src/graph/liveness.ts';
import { kernelOf } from '../src/graph/ops.ts';
import { networkOf } from '../src/invsr/measure.ts';
import {
  type ModelFacts,
  stageGraph,
  STAGES,
  type TileGraphOptions,
} from '../src/invsr/tile-graph.ts';
import { idOf, sizeTextOf, variantOf, type Work } from './case-name.ts';
import { cutTo } from './cut.ts';
import type { KernelRow } from './record.ts';

export interface BenchCase extends Pick<
  KernelRow,
  'id' | 'op' | 'variant' | 'size' | 'network' | 'count' | 'counts' | 'isPrepared' | 'cut'
> {
  readonly inputs: Readonly<Record<string, TensorType>>;
  readonly constants: Readonly<Record<string, unknown>>;
  kernel(target: Target): Kernel;
  /** Values of an input where noise will not do. @default normal noise; zeros of u32 */
  readonly data?: (name: string, type: TensorType, seed: number) => Float32Array | Uint32Array;
}

/** A model, and what its networks are called in the rows. */
export interface CaseSource {
  readonly model: ModelFacts;
  /** Before the networks' names; empty for InvSR-1 itself. */
  readonly name: string;
}

export function modelCases(
  { model, name }: CaseSource,
  options: Pick<TileGraphOptions, 'precision' | 'tile' | 'timesteps'>,
): BenchCase[] {
  const shape = { ...options, batch: 1, cfg: 1, noise: 'generated' } as const;
  const found = new Map<string, { work: Work; isPrepared: boolean; counts: Map<string, number> }>();
  const add = (work: Work, path: string, { isPrepared = false, count = 1 }): void => {
    const id = idOf(work);
    const old = found.get(id);
    const { counts } = old ?? { counts: new Map<string, number>() };
    const network = [name, networkOf(path)].filter(Boolean).join(' ');
    counts.set(network, (counts.get(network) ?? 0) + count);
    found.set(id, { work, isPrepared: isPrepared && (old?.isPrepared ?? true), counts });
  };
  for (const stage of STAGES) {
    const graph = fuse(stageGraph(stage, model, shape));
    const constant = constantNodes(graph);
    for (const node of graph.nodes) {
      add(workOf(node), node.path, { isPrepared: constant.has(node) });
    }
    for (const [node, work] of joinedProducts(graph.nodes)) {
      add(work, node.path, { isPrepared: constant.has(node), count: 0 });
    }
  }
  return [...found.values()].map(({ work, isPrepared, counts }) => {
    const byCount = [...counts].toSorted(([, a], [, b]) => b - a);
    return caseOf(work, {
      network: byCount[0]?.[0] ?? '',
      count: byCount.reduce((sum, [, count]) => sum + count, 0),
      ...(counts.size > 1 && { counts: Object.fromEntries(counts) }),
      ...(isPrepared && { isPrepared }),
    });
  });
}

export const caseOf = (
  work: Work,
  facts: Pick<BenchCase, 'network' | 'count' | 'counts' | 'isPrepared'>,
): BenchCase => ({
  id: idOf(work),
  op: work.op,
  variant: variantOf(work),
  size: sizeTextOf(work),
  ...facts,
  inputs: work.inputs,
  constants: work.constants,
  // The op came from a graph, or from cutting one that did.
  kernel: (target) => kernelOf(work.op as Node['op'], work.inputs, work.constants, target),
});

function workOf(node: Node): Work {
  const types = inputsOf(node).map(([name, { dtype, shape }]) => [name, { dtype, shape }] as const);
  return {
    op: node.op,
    inputs: Object.fromEntries(types),
    constants: { ...node.constants },
    output: { dtype: node.output.dtype, shape: node.output.shape },
  };
}

/** Queries, keys and values of one attention as one product, where the graph has several of the same x. */
function joinedProducts(nodes: readonly Node[]): (readonly [Node, Work])[] {
  const producers = new Map(nodes.map((node) => [node.output.id, node]));
  return nodes.flatMap((node) => {
    if (node.op !== 'attention') return [];
    const products = [node.inputs.q, node.inputs.k, node.inputs.v].flatMap((tensor) => {
      const producer = tensor && producers.get(tensor.id);
      return producer?.op === 'linear' ? [producer] : [];
    });
    const last = products.at(-1);
    const joined = products.filter(({ inputs }) => inputs.x.id === last?.inputs.x.id);
    if (!last || joined.length < 2) return [];
    const { inputs, constants, output } = workOf(last);
    const wide = (type: TensorType): TensorType => ({
      dtype: type.dtype,
      shape: [...type.shape.slice(0, -1), (type.shape.at(-1) ?? 0) * joined.length],
    });
    const { x, weight, bias } = inputs;
    if (!x || !weight) return [];
    const work: Work = {
      op: 'linear',
      inputs: { x, weight: wide(weight), ...(bias && { bias: wide(bias) }) },
      constants,
      output: wide(output),
    };
    return [[last, work] as const];
  });
}

/** The case within `maxFlops`, cut if need be; a sentence where that cannot be. */
export function withinFlops(from: BenchCase, target: Target, maxFlops: number): BenchCase | string {
  const kernel = from.kernel(target);
  const { flops } = kernel.cost;
  if (flops <= maxFlops) return from;
  const work = { ...from, output: kernel.output.type };
  const cut = cutTo(work, maxFlops / flops);
  if (!cut) {
    return `${(flops / 1e9).toFixed(1)} GFLOP, and it cannot be cut; a higher --max-gflop runs it whole`;
  }
  const { network, count, counts, isPrepared, size, variant, id } = from;
  const facts = { network, count, ...(counts && { counts }), ...(isPrepared && { isPrepared }) };
  const words = cut.words;
  return {
    ...caseOf(cut, facts),
    // Called as the whole is, or cuts of two shapes might meet in one name.
    id: `${id}, cut to ${words}`,
    variant: `${variant}, cut to ${words}`,
    size,
    cut: words,
  };
}

/** `--filter` finds text in id, size or network; `--shape 4096x512` whole numbers of the size in a row. */
export interface Selection {
  readonly filter?: string;
  readonly shape?: string;
  readonly network?: string;
}

export function selectCases(
  cases: readonly BenchCase[],
  { filter = '', shape = '', network = '' }: Selection,
): BenchCase[] {
  const text = filter.toLowerCase();
  return cases.filter(
    (one) =>
      `${one.id} ${one.size} ${one.network}`.toLowerCase().includes(text) &&
      `x${one.size.replace(' ', 'x')}x`.includes(shape === '' ? '' : `x${shape.toLowerCase()}x`) &&
      (network === '' || [one.network, ...Object.keys(one.counts ?? {})].includes(network)),
  );
}
