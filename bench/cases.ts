/**
 * What is benched: every distinct dispatch of a model's plans on this target, with its count; with count 0
 * the layers that those plans have in another form, as a part of a larger dispatch or in several. Layers are ops that peers
 * have too, and the same for every target, so that records compare. Derived from the graphs, so that
 * nothing drifts; `FULL_SIZE` needs no weights, so that browsers and the installed package have the same cases.
 */
import { type Kernel, type Target, type TensorType } from '../src/engine/kernel.ts';
import { atOnce } from '../src/engine/slices.ts';
import { type Graph, inputsOf, type Node } from '../src/graph/graph.ts';
import { constantNodes } from '../src/graph/liveness.ts';
import { type RewriteOptions, rewriting } from '../src/graph/passes.ts';
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
import { designOf, type Step, stepsOf, wholeKernel } from './steps.ts';

export interface BenchCase extends Pick<
  KernelRow,
  'id' | 'op' | 'variant' | 'size' | 'network' | 'count' | 'counts' | 'isPrepared' | 'cut'
> {
  readonly inputs: Readonly<Record<string, TensorType>>;
  readonly constants: Readonly<Record<string, unknown>>;
  readonly aliases?: Work['aliases'];
  /** The device's maxStorageBufferBindingSize, which decides on algorithms. @default the least that a device has */
  readonly maxBindingBytes?: number | undefined;
  /** What computes all of it in one; its cost is the case's. */
  kernel(target: Target): Kernel;
  /** `constants` do not tell what `kernel` makes: the case cannot be cut. */
  readonly isMade?: boolean;
  /** What computes it on this target. @default that kernel */
  readonly steps?: ((target: Target) => readonly Step[]) | undefined;
  readonly design?: ((target: Target) => string | undefined) | undefined;
  /** Values of an input where noise will not do. @default normal noise; zeros of u32 */
  readonly data?: (name: string, type: TensorType, seed: number) => Float32Array | Uint32Array;
}

/** A model, and what its networks are called in the rows. */
export interface CaseSource {
  readonly model: ModelFacts;
  /** Before the networks' names; empty for InvSR-1 itself. */
  readonly name: string;
}

export interface CaseOptions extends Pick<TileGraphOptions, 'precision' | 'tile' | 'timesteps'> {
  /** Graphs are rewritten for it. */
  readonly target: Target;
  /** The device's maxStorageBufferBindingSize. @default the least that a device has */
  readonly maxBindingBytes?: number;
}

/** Whatever the target: no pass has made one layer of several. */
const layersOf = (graph: Graph, options: Pick<RewriteOptions, 'compact'>): Graph =>
  atOnce(rewriting(graph, PLAIN, { ...options, until: 'join' }));
const PLAIN: Target = { family: 'cpu', shaderF16: false, subgroupSize: 0 };

interface Found {
  readonly work: Work;
  readonly isPrepared: boolean;
  readonly counts: Map<string, number>;
}

export function modelCases(source: CaseSource, options: CaseOptions): BenchCase[] {
  const { target, maxBindingBytes } = options;
  const limits = maxBindingBytes ? { maxBindingBytes } : {};
  const graphs = graphsOf(source, options);
  // On software adapters plans are compact. Their bands are no cases: a band is fewer rows of a layer.
  const isCompact = target.family === 'cpu';
  const run = graphs.map((graph) =>
    isCompact
      ? layersOf(graph, { compact: true })
      : atOnce(rewriting(graph, target, { ...limits, compact: false, until: 'statistics' })),
  );
  const cases = new Map(graphCases(run, source.name, options).map((one) => [one.id, one]));
  for (const compact of [true, false]) {
    for (const one of layerCases(source, options, { compact })) {
      const { id, counts = {} } = one;
      if (cases.has(id)) continue;
      const none = Object.fromEntries(Object.keys(counts).map((network) => [network, 0]));
      cases.set(id, { ...one, count: 0, ...(one.counts && { counts: none }) });
    }
  }
  return [...cases.values()];
}

/** Every layer as an op of its own, with its count; an attention's projections are one where memory allows, or not `compact`. */
export const layerCases = (
  source: CaseSource,
  options: Omit<CaseOptions, 'target'>,
  { compact }: { readonly compact: boolean },
): BenchCase[] =>
  graphCases(
    graphsOf(source, options).map((graph) => layersOf(graph, { compact })),
    source.name,
    options,
  );

const graphsOf = (
  { model }: CaseSource,
  { precision, tile, timesteps }: Omit<CaseOptions, 'target'>,
): Graph[] =>
  STAGES.map((stage) => {
    const shape = { precision, tile, timesteps, batch: 1, cfg: 1, noise: 'generated' } as const;
    return { ...stageGraph(stage, model, shape), names: new Map() };
  });

/** The distinct nodes of graphs that run one after another; `name` is the model's, in front of the networks'. */
function graphCases(
  graphs: readonly Graph[],
  name: string,
  { maxBindingBytes }: Pick<CaseOptions, 'maxBindingBytes'>,
): BenchCase[] {
  const found = new Map<string, Found>();
  for (const graph of graphs) {
    const constant = constantNodes(graph);
    for (const node of graph.nodes) {
      const work = workOf(node);
      const id = idOf(work);
      const { counts, isPrepared } = found.get(id) ?? { counts: new Map(), isPrepared: true };
      const network = [name, networkOf(node.path)].filter(Boolean).join(' ');
      counts.set(network, (counts.get(network) ?? 0) + 1);
      found.set(id, { work, counts, isPrepared: isPrepared && constant.has(node) });
    }
  }
  return [...found.values()].map(({ work, isPrepared, counts }) => {
    const byCount = [...counts].toSorted(([, a], [, b]) => b - a);
    return caseOf(work, {
      network: byCount[0]?.[0] ?? '',
      count: byCount.reduce((sum, [, count]) => sum + count, 0),
      maxBindingBytes,
      ...(counts.size > 1 && { counts: Object.fromEntries(counts) }),
      ...(isPrepared && { isPrepared }),
    });
  });
}

export const caseOf = (
  work: Work,
  facts: Pick<BenchCase, 'network' | 'count' | 'counts' | 'isPrepared' | 'maxBindingBytes'>,
): BenchCase => ({
  id: idOf(work),
  op: work.op,
  variant: variantOf(work),
  size: sizeTextOf(work),
  ...facts,
  inputs: work.inputs,
  constants: work.constants,
  ...(work.aliases && { aliases: work.aliases }),
  kernel: (target) => wholeKernel(work, target),
  steps: (target) => stepsOf(work, target, facts),
  design: (target) => designOf(work, target, facts),
});

function workOf(node: Node): Work {
  const tensors = inputsOf(node);
  const types = tensors.map(([name, { dtype, shape }]) => [name, { dtype, shape }] as const);
  const aliases = tensors.flatMap(([name, { id }], i) => {
    const [first] = tensors.slice(0, i).find(([, earlier]) => earlier.id === id) ?? [];
    return first === undefined ? [] : [[name, first] as const];
  });
  return {
    op: node.op,
    inputs: Object.fromEntries(types),
    constants: { ...node.constants },
    output: { dtype: node.output.dtype, shape: node.output.shape },
    ...(aliases.length > 0 && { aliases: Object.fromEntries(aliases) }),
  };
}

/** Work this little above the limit is not worth a cut. */
const MARGIN = 1.25;
/** What cannot be cut runs whole up to this many times the limit. */
const UNCUT = 10;

/** The case within `maxFlops`, cut if need be; a sentence where that cannot be. */
export function withinFlops(from: BenchCase, target: Target, maxFlops: number): BenchCase | string {
  const kernel = from.kernel(target);
  const { flops } = kernel.cost;
  if (flops <= MARGIN * maxFlops) return from;
  const work = { ...from, output: kernel.output.type };
  // Conformance cases bring a kernel that is made already: only ops with their constants can be cut.
  const cut = from.isMade ? undefined : cutTo(work, maxFlops / flops);
  if (!cut) {
    if (flops <= UNCUT * maxFlops) return from;
    return `${(flops / 1e9).toFixed(1)} GFLOP, and it cannot be cut; a higher --max-gflop runs it whole`;
  }
  const { network, count, counts, isPrepared, maxBindingBytes, size, variant, id } = from;
  const facts = {
    network,
    count,
    maxBindingBytes,
    ...(counts && { counts }),
    ...(isPrepared && { isPrepared }),
  };
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
