/** Attention of q [N, Lq, C], k and v [N or 1, Lk, C] in ONNX, two ways. */
import type { Shape } from '../../src/engine/kernel.ts';
import type { OnnxGraph } from './op-graph.ts';

export interface AttentionNames {
  readonly q: string;
  readonly k: string;
  readonly v: string;
}

export interface AttentionShapes {
  readonly q: Shape;
  readonly kv: Shape;
  readonly heads: number;
}

interface AttentionForm {
  readonly form: string;
  /** Appends the nodes; returns the output's name. */
  readonly write: (g: OnnxGraph, names: AttentionNames, shapes: AttentionShapes) => string;
}

/** As PyTorch exports scaled_dot_product_attention: √scale on both sides, scores in memory. */
const asExported: AttentionForm = {
  form: 'MatMul, Softmax, MatMul',
  write(g, names, { q, kv, heads }) {
    const [n = 1, queries = 1, channels = 1] = q;
    const [kvBatch = 1, keys = 1] = kv;
    const size = channels / heads;
    const headsOf = (name: string, [batch, length]: readonly [number, number]): string =>
      g.transpose(g.reshape(name, [batch, length, heads, size]), [0, 2, 1, 3]);
    const root = g.scalar('root of scale', size ** -0.25);
    const query = g.node('Mul', [headsOf(names.q, [n, queries]), root]);
    const key = g.transpose(g.reshape(names.k, [kvBatch, keys, heads, size]), [0, 2, 3, 1]);
    const scores = g.node('MatMul', [query, g.node('Mul', [key, root])]);
    const weights = g.node('Softmax', [scores], { axis: { int: -1 } });
    const sums = g.node('MatMul', [weights, headsOf(names.v, [kvBatch, keys])]);
    return g.reshape(g.transpose(sums, [0, 2, 1, 3]), [n, queries, channels]);
  },
};

/** onnxruntime's own operator, which its transformer optimiser puts in the place of the above. */
const contributed: AttentionForm = {
  form: 'MultiHeadAttention',
  write: (g, { q, k, v }, { heads }) =>
    g.contributed('MultiHeadAttention', [q, k, v], { num_heads: { int: heads } }),
};

export const ATTENTION_FORMS = [contributed, asExported] as const;
