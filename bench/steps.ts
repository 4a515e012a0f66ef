/**
 * The dispatches of one case: the op's own kernel, or those of the algorithm that lowering chooses for
 * it on this device (graph/algorithms.ts), such as a product in parts and their sum. Timed as one, so
 * that a case keeps its name and its cost whatever computes it. What a plan does to a weight once, such
 * as packing it (graph/pack.ts), comes before.
 */
import type { Kernel, Target, TensorType } from '../src/engine/kernel.ts';
import { atOnce } from '../src/engine/slices.ts';
import { type AlgorithmOptions, algorithmOf, chooseAlgorithms } from '../src/graph/algorithms.ts';
import { type Graph, inputsOf, type Node, type Tensor } from '../src/graph/graph.ts';
import { constantNodes } from '../src/graph/liveness.ts';
import { kernelOf } from '../src/graph/ops.ts';
import { packingWeights } from '../src/graph/pack.ts';
import type { Work } from './case-name.ts';

export interface Step {
  readonly kernel: Kernel;
  /** Kernel's input → tensor of the case: an input, or an earlier step's output. */
  readonly inputs: Readonly<Record<string, string>>;
  /** `output` of the last. */
  readonly output: string;
  /** Depends on the weight alone: a plan does it once, so it is not timed. */
  readonly isPrepared?: boolean;
}

/** A kernel by itself, over inputs of its bindings' names. */
export const stepOf = (kernel: Kernel): Step => ({
  kernel,
  inputs: Object.fromEntries(Object.keys(kernel.bindings).map((name) => [name, name])),
  output: 'output',
});

/** The kernel that computes all of it: where the case's cost comes from. */
export const wholeKernel = ({ op, inputs, constants }: Work, target: Target): Kernel =>
  // The op came from a graph, or from cutting one that did.
  kernelOf(op as Node['op'], inputs, constants, target);

export function stepsOf(work: Work, target: Target, options: AlgorithmOptions = {}): Step[] {
  const node = nodeOf(work);
  const graph = loweredAlone(node, target, options);
  const { nodes } = graph;
  if (nodes.length === 1) return [stepOf(wholeKernel(work, target))];
  const constant = constantNodes(graph);
  const names = new Map(inputsOf(node).map(([name, { id }]) => [id, name]));
  return nodes.map((each, i) => {
    const output = i === nodes.length - 1 ? 'output' : `between ${i}`;
    names.set(each.output.id, output);
    return {
      kernel: kernelOf(each.op, { ...each.inputs }, each.constants, target),
      inputs: Object.fromEntries(
        inputsOf(each).map(([name, { id }]) => [name, names.get(id) ?? name]),
      ),
      output,
      ...(constant.has(each) && { isPrepared: true }),
    };
  });
}

/** The node in those of its algorithm; its weight, in the case's buffer, counts as constant. */
function loweredAlone(node: Node, target: Target, options: AlgorithmOptions): Graph {
  const weights = inputsOf(node).flatMap(([name, { id, dtype, shape }]) =>
    name === 'weight' ? [[id, { key: name, layout: '', type: { dtype, shape } }] as const] : [],
  );
  const alone: Graph = {
    nodes: [node],
    weights: new Map(weights),
    externals: new Map(weights.map(([id, { key }]) => [id, key])),
    names: new Map(),
  };
  const context = { target, ...options };
  return atOnce(packingWeights(chooseAlgorithms(alone, context), context));
}

/** In words, where there was one to choose: `split4`, `tile64x64`. */
export function designOf(
  work: Work,
  target: Target,
  options: AlgorithmOptions = {},
): string | undefined {
  const algorithm = algorithmOf(nodeOf(work), target, options)?.design ?? 'whole';
  return algorithm === 'whole' ? wholeKernel(work, target).choice?.design : algorithm;
}

/** The case as a graph's node. The op decides what inputs and constants are; nobody reads the path. */
function nodeOf({ op, inputs, constants, output }: Work): Node {
  const tensor = (type: TensorType, id: number): Tensor => ({ ...type, id });
  return {
    op,
    path: op,
    inputs: Object.fromEntries(
      Object.entries(inputs).map(([name, type], i) => [name, tensor(type, i + 1)]),
    ),
    constants,
    output: tensor(output, 0),
  } as unknown as Node;
}
