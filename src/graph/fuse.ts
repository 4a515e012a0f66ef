/**
 * Rewrites a graph into fewer, cheaper nodes with the same result.
 *
 *   1. conv3x3(upsampleNearest 2x(x)) → upsampleConv2d: four 2x2 convolutions at low resolution,
 *      4/9 of the work. Exact in real numbers; the summed taps are stored in the activations'
 *      precision, because f16 sums would cost an f32 plan its accuracy.
 *   2. activation(linear | conv2d) → epilogue of the producer.
 *   3. Nodes whose output nobody reads are dropped.
 *
 * A tensor that is named or external keeps its node.
 */
import { layoutType } from '../weights/layout.ts';
import { type Graph, inputsOf, newIds, type Node, type Tensor } from './graph.ts';
import { soleProducer, usesOf } from './uses.ts';

export function fuse(graph: Graph): Graph {
  const uses = usesOf(graph);
  const weights = new Map(graph.weights);
  const nextId = newIds(graph);

  const dropped = new Set<Node>();
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    if (node.op === 'conv2d') {
      const upsample = soleProducer(node.inputs.x, uses);
      if (upsample?.op === 'upsampleNearest' && isPhaseSplit(node, upsample)) {
        const weight = weights.get(node.inputs.weight.id);
        if (weight) {
          const dtype = node.output.dtype === 'f32' ? 'f32' : 'f16';
          const [kh = 0, kw = 0, ci = 0, co = 0] = node.inputs.weight.shape;
          const type = layoutType('phase', dtype, [co, ci, kh, kw]);
          const tensor: Tensor = { id: nextId(), ...type };
          weights.set(tensor.id, { key: weight.key, layout: 'phase', type });
          const { activation = 'none', dtype: stored } = node.constants;
          dropped.add(upsample);
          nodes.push({
            op: 'upsampleConv2d',
            path: node.path,
            inputs: { x: upsample.inputs.x, weight: tensor, bias: node.inputs.bias },
            constants: { activation, ...(stored && { dtype: stored }) },
            output: node.output,
          });
          continue;
        }
      }
    }
    if (node.op === 'activation') {
      const index = nodes.findIndex((n) => n.output.id === node.inputs.x.id);
      const producer = nodes[index];
      if (
        producer &&
        (producer.op === 'linear' || producer.op === 'conv2d') &&
        soleProducer(producer.output, uses) &&
        !producer.inputs.residual &&
        (producer.constants.activation ?? 'none') === 'none'
      ) {
        const constants = { ...producer.constants, activation: node.constants.kind };
        nodes[index] = { ...producer, constants, output: node.output } as Node;
        continue;
      }
    }
    nodes.push(node);
  }
  const kept = nodes.filter((node) => !dropped.has(node));
  return dropDead({ ...graph, nodes: kept, weights }, uses.pinned);
}

/** 3x3, stride 1, one pixel of padding, exact doubling, and no addend that the phase kernel lacks. */
function isPhaseSplit(conv: Node<'conv2d'>, upsample: Node<'upsampleNearest'>): boolean {
  const { stride, padding } = conv.constants;
  const [, h = 0, w = 0] = upsample.inputs.x.shape;
  return (
    conv.inputs.weight.shape[0] === 3 &&
    stride === 1 &&
    padding !== undefined &&
    Object.values(padding).every((p) => p === 1) &&
    upsample.constants.height === 2 * h &&
    upsample.constants.width === 2 * w &&
    !conv.inputs.residual &&
    !conv.inputs.shift
  );
}

function dropDead(graph: Graph, pinned: ReadonlySet<number>): Graph {
  const needed = new Set(pinned);
  const kept: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!needed.has(node.output.id)) continue;
    for (const [, { id }] of inputsOf(node)) needed.add(id);
    kept.push(node);
  }
  return {
    ...graph,
    nodes: kept.toReversed(),
    weights: new Map([...graph.weights].filter(([id]) => needed.has(id))),
  };
}
