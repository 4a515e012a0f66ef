/**
 * The rewritings between a graph as a model says it and its plan, in order. Each is Graph → Graph with the
 * same result, in a file of its own; which devices it is for says docs/architecture.md, checked against
 * this table.
 */
import type { Target } from '../engine/kernel.ts';
import { onDemand } from '../engine/on-demand.ts';
import { whenLoaded, type Work } from '../engine/slices.ts';
import { chooseAlgorithms } from './algorithms.ts';
import { chainProducts } from './chain.ts';
import { fuse } from './fuse.ts';
import { foldGates } from './gate.ts';
import type { Graph } from './graph.ts';
import { joinProjections } from './join.ts';
import { type BandOptions, DEFAULT_MAX_BINDING_BYTES, needsBands } from './limits.ts';
import { dropConcats, foldNorms, joinSmallNorms } from './norms.ts';
import { foldLayerNorms } from './row-norms.ts';
import { takingMoments } from './statistics.ts';

/** What a graph is rewritten for. */
interface PassContext extends BandOptions {
  readonly target: Target;
}

export interface RewriteOptions extends Partial<BandOptions> {
  /** Limits the named tensors that stay readable. @default all */
  readonly keep?: (name: string) => boolean;
  /** The last pass. @default all of them */
  readonly until?: (typeof PASSES)[number]['name'];
}

interface Pass {
  readonly name: string;
  /** @default always */
  readonly when?: (context: PassContext, graph: Graph) => boolean;
  /** At once or in steps. NotLoadedError, before anything is done: code that it needs is not there. */
  readonly run: (graph: Graph, context: PassContext) => Graph | Work<Graph>;
}

export const bands = onDemand('bands of large tensors', () => import('./band.ts'));
export const packing = onDemand('weights in blocks', () => import('./pack.ts'));

const onGpu = ({ target }: PassContext): boolean => target.family !== 'cpu';
const onMatrix = ({ target }: PassContext): boolean => target.matrix !== undefined;
/** In bands a norm of a band's rows is cheap, and its reader shares the room of one band. */
const isWhole = (context: PassContext): boolean => onGpu(context) && !context.compact;
/** Of rows, only the ALU's programs know the norm. */
const onAlu = (context: PassContext): boolean => onGpu(context) && !onMatrix(context);
const isLarge = (context: PassContext, graph: Graph): boolean => needsBands(graph, context);

export const PASSES = [
  { name: 'fuse', run: fuse },
  { name: 'gate', run: foldGates },
  { name: 'join', run: joinProjections },
  { name: 'small norms', when: onGpu, run: joinSmallNorms },
  { name: 'concats', when: onGpu, run: dropConcats },
  { name: 'norms', when: isWhole, run: foldNorms },
  { name: 'row norms', when: onAlu, run: foldLayerNorms },
  { name: 'chain', when: isWhole, run: chainProducts },
  { name: 'bands', when: isLarge, run: (graph, context) => bands.get().banding(graph, context) },
  { name: 'algorithms', when: onGpu, run: chooseAlgorithms },
  { name: 'statistics', when: onGpu, run: takingMoments },
  {
    name: 'pack',
    when: onMatrix,
    run: (graph, context) => packing.get().packingWeights(graph, context),
  },
] as const satisfies readonly Pass[];

/**
 * The graph whose nodes become dispatches, one each; in steps of a few milliseconds, as `inSlices` takes
 * them, waiting for code that is not there.
 */
export function* rewriting(
  { names, ...rest }: Graph,
  target: Target,
  options: RewriteOptions = {},
): Work<Graph> {
  const { keep, until, maxBindingBytes = DEFAULT_MAX_BINDING_BYTES, compact = true } = options;
  const context = { target, maxBindingBytes, compact };
  const kept = [...names].filter(([name]) => keep?.(name) ?? true);
  let graph: Graph = { ...rest, names: new Map(kept) };
  for (const { name, when, run } of PASSES as readonly Pass[]) {
    if (when?.(context, graph) ?? true) {
      const made = yield* whenLoaded(() => run(graph, context));
      graph = 'nodes' in made ? made : yield* made;
      yield;
    }
    if (name === until) break;
  }
  return graph;
}
