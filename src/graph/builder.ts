/**
 * GraphBuilder: one method per op that models use. It infers shapes, records layer paths, pads
 * channels to multiples of four, and gives equal nodes one output (so that five UNet steps share
 * their prompt keys and values).
 */
import {
  type DType,
  format,
  roundUp4,
  type Shape,
  ShapeError,
  type TensorType,
  sizeOf,
} from '../engine/kernel.ts';
import type { PlanWeight } from '../engine/plan.ts';
import type { Padding } from '../kernels/conv2d.ts';
import type { Activation } from '../kernels/epilogue.ts';
import { groupNormChunks, MOMENTS } from '../kernels/moments.ts';
import { layoutType, type Layout } from '../weights/layout.ts';
import type { Graph, Name, Node, Tensor } from './graph.ts';
import { type CheckpointShapes, WeightError, type Weights, weightsOf } from './weights.ts';
import type { OpConstants, OpInputs, OpName } from './ops.ts';

export { type Padding, roundUp4 };

export interface Conv2dOptions {
  readonly stride?: 1 | 2;
  /** @default 'same': one pixel on each side for 3x3, none for 1x1 */
  readonly padding?: Padding;
  /** Added per channel before the activation, `[N or 1, Cout]`: the time embedding. */
  readonly shift?: Tensor | undefined;
  readonly residual?: Tensor | undefined;
  readonly dtype?: DType;
}

export class GraphBuilder {
  /** Storage of activations; statistics, latents and vectors are f32 anyway. */
  readonly precision: 'f16' | 'f32';

  readonly #nodes: Node[] = [];
  readonly #weights = new Map<number, PlanWeight>();
  readonly #weightTensors = new Map<string, Tensor>();
  readonly #externals = new Map<number, string>();
  readonly #names = new Map<string, Name>();
  readonly #known = new Map<string, Tensor>();
  #nextId = 0;

  constructor({ precision }: { readonly precision: 'f16' | 'f32' }) {
    this.precision = precision;
  }

  build(): Graph {
    return {
      nodes: this.#nodes,
      weights: this.#weights,
      externals: this.#externals,
      names: this.#names,
    };
  }

  // --- tensors from outside -------------------------------------------------------------------

  /** A tensor in a buffer the caller binds under `name` at every run. */
  external(name: string, type: TensorType): Tensor {
    const tensor = this.#tensor(type);
    this.#externals.set(tensor.id, name);
    return tensor;
  }

  /** Makes the buffer bound as `name` the place where `tensor` is written. */
  output(name: string, tensor: Tensor): void {
    this.#externals.set(tensor.id, name);
  }

  /** Keeps `tensor` readable after a run; `channels` of its last axis are meaningful. */
  name(name: string, tensor: Tensor, channels = lastAxis(tensor)): void {
    this.#names.set(name, { tensor, channels });
  }

  /** The tensors of one checkpoint; `component` prefixes keys and paths. */
  checkpoint(component: string, shapes: CheckpointShapes): Weights {
    return weightsOf(component, shapes, (key, layout, dtype, shape) =>
      this.#weight(key, layout, dtype, shape),
    );
  }

  #weight(key: string, layout: Layout, dtype: 'f16' | 'f32', shape: Shape): Tensor {
    const id = `${key} ${layout} ${dtype}`;
    const existing = this.#weightTensors.get(id);
    if (existing) return existing;
    const type = layoutType(layout, dtype, shape, key);
    const tensor = this.#tensor(type);
    this.#weightTensors.set(id, tensor);
    this.#weights.set(tensor.id, { key, layout, type });
    return tensor;
  }

  // --- layers with weights --------------------------------------------------------------------

  /** y = act(x·W + b) + residual. x [..., K]; weight [N, K] or a 1x1 convolution [N, K, 1, 1]. */
  linear(
    x: Tensor,
    w: Weights,
    {
      activation = 'none',
      residual,
      dtype = this.precision,
    }: { activation?: Activation; residual?: Tensor | undefined; dtype?: DType } = {},
  ): Tensor {
    const columns = this.#columnsOf(w, x);
    return this.emit(
      'linear',
      w.path,
      { x, weight: w.get('weight', 'linear'), bias: optionalBias(w), residual },
      { activation, dtype },
      { dtype, shape: [...x.shape.slice(0, -1), columns] },
    );
  }

  /** Output channels of a matrix that fits x, padded. */
  #columnsOf(w: Weights, x: Tensor): number {
    const [n = 0, k = 0, ...rest] = w.shape('weight');
    if (rest.some((d) => d !== 1) || roundUp4(k) !== lastAxis(x)) {
      throw new WeightError(
        `${w.path}.weight is [${w.shape('weight').join(',')}], expected [*,${lastAxis(x)}] for an input ${format(x)}`,
      );
    }
    return roundUp4(n);
  }

  /** 3x3 or 1x1 convolution; weight [Cout, Cin, K, K]. */
  conv2d(
    x: Tensor,
    w: Weights,
    { stride = 1, padding, shift, residual, dtype = this.precision }: Conv2dOptions = {},
  ): Tensor {
    const [co = 0, ci = 0, kh = 0, kw = 0] = w.shape('weight');
    const [n = 0, h = 0, width = 0, c = 0] = x.shape;
    if (roundUp4(ci) !== c || kh !== kw || (kh !== 1 && kh !== 3)) {
      throw new WeightError(
        `${w.path}.weight is [${w.shape('weight').join(',')}], expected [*,${c},K,K] with K 1 or 3 for an input ${format(x)}`,
      );
    }
    if (kh === 1 && stride === 1 && !shift) return this.linear(x, w, { residual, dtype });

    const side = (kh - 1) / 2;
    const pad = padding ?? { top: side, left: side, bottom: side, right: side };
    const out = (size: number, before: number, after: number): number =>
      Math.floor((size + before + after - kh) / stride) + 1;
    return this.emit(
      'conv2d',
      w.path,
      { x, weight: w.get('weight', 'conv'), bias: optionalBias(w), shift, residual },
      { stride, padding: pad, activation: 'none', dtype },
      {
        dtype,
        shape: [n, out(h, pad.top, pad.bottom), out(width, pad.left, pad.right), roundUp4(co)],
      },
    );
  }

  /** Group normalisation of [N, H, W, C] (or [N, L, C]) as three nodes, kernels/group-norm-*.ts; on GPUs norms.ts makes one of them. */
  groupNorm(
    x: Tensor,
    w: Weights,
    {
      groups,
      eps,
      activation = 'none',
    }: { readonly groups: number; readonly eps: number; readonly activation?: Activation },
  ): Tensor {
    const c = lastAxis(x);
    const n = x.shape[0] ?? 1;
    this.#expectVector(w, 'weight', c);
    if (c % groups !== 0) {
      throw new WeightError(`${w.path}: ${c} channels do not divide into ${groups} groups`);
    }
    const pixels = sizeOf(x.shape.slice(1, -1));
    const image = this.reshape(x, [n, 1, pixels, c]);
    const partial = this.emit(
      'groupNormPartial',
      `${w.path}.partial`,
      { x: image },
      {},
      {
        dtype: 'f32',
        shape: [n, groupNormChunks(pixels, c).chunks, MOMENTS, c],
      },
    );
    const stats = this.emit(
      'groupNormFinalize',
      `${w.path}.finalize`,
      { partial, gamma: w.get('weight', 'vector', 'f32') },
      { groups, eps },
      { dtype: 'f32', shape: [n, 2, c] },
    );
    return this.reshape(
      this.emit(
        'groupNormApply',
        w.path,
        { x: image, stats, beta: w.get('bias', 'vector', 'f32') },
        { activation, dtype: this.precision },
        { dtype: this.precision, shape: image.shape },
      ),
      x.shape,
    );
  }

  layerNorm(x: Tensor, w: Weights, { eps }: { readonly eps: number }): Tensor {
    this.#expectVector(w, 'weight', lastAxis(x));
    return this.emit(
      'layerNorm',
      w.path,
      { x, gamma: w.get('weight', 'vector', 'f32'), beta: w.get('bias', 'vector', 'f32') },
      { eps },
      x,
    );
  }

  #expectVector(w: Weights, name: string, length: number): void {
    const shape = w.shape(name);
    if (shape.length === 1 && shape[0] === length) return;
    throw new WeightError(
      `${w.path}.${name} is [${shape.join(',')}], expected [${length}]: config.json and weights disagree`,
    );
  }

  // --- layers without weights -----------------------------------------------------------------

  /** softmax(q·kᵀ/√d)·v per head. q [N, Lq, C]; k, v [N or 1, Lk, C]. `causal`: no later keys. */
  attention(
    path: string,
    { q, k, v }: { readonly q: Tensor; readonly k: Tensor; readonly v: Tensor },
    { heads, causal }: { readonly heads: number; readonly causal?: boolean },
  ): Tensor {
    return this.emit('attention', path, { q, k, v }, { heads, ...(causal && { causal }) }, q);
  }

  /** First half of the channels times gelu of the second. */
  geglu(path: string, x: Tensor): Tensor {
    const shape = [...x.shape.slice(0, -1), lastAxis(x) / 2];
    return this.emit('geglu', path, { x }, {}, { dtype: x.dtype, shape });
  }

  activation(path: string, x: Tensor, kind: Activation): Tensor {
    return this.emit('activation', path, { x }, { kind }, x);
  }

  concatChannels(path: string, a: Tensor, b: Tensor): Tensor {
    const shape = [...a.shape.slice(0, -1), lastAxis(a) + lastAxis(b)];
    return this.emit('concat', path, { a, b }, {}, { dtype: a.dtype, shape });
  }

  upsampleNearest(path: string, x: Tensor, height: number, width: number): Tensor {
    const [n = 0, , , c = 0] = x.shape;
    return this.emit(
      'upsampleNearest',
      path,
      { x },
      { height, width },
      {
        dtype: x.dtype,
        shape: [n, height, width, c],
      },
    );
  }

  /** Sinusoidal embedding of one timestep, `[1, dim]`. */
  timestepEmbedding(path: string, constants: OpConstants<'timestepEmbedding'>): Tensor {
    return this.emit('timestepEmbedding', path, {}, constants, {
      dtype: 'f32',
      shape: [1, constants.dim],
    });
  }

  /** alpha·a + beta·b + gamma, clamped. */
  affine(
    path: string,
    { a, b }: { readonly a: Tensor; readonly b?: Tensor | undefined },
    constants: OpConstants<'affine'>,
  ): Tensor {
    return this.emit('affine', path, { a, b }, constants, {
      dtype: constants.dtype ?? a.dtype,
      shape: a.shape,
    });
  }

  /** Another shape of the same storage; free. */
  reshape(x: Tensor, shape: Shape): Tensor {
    if (sizeOf(shape) !== sizeOf(x.shape)) {
      throw new ShapeError(`cannot view ${format(x)} as [${shape.join(',')}]`);
    }
    return { id: x.id, dtype: x.dtype, shape };
  }

  // --- anything else --------------------------------------------------------------------------

  /**
   * Appends a node, or returns the output of an equal one. `into` makes the node write to that
   * external tensor (accumulators): such a node is never merged.
   */
  emit<K extends OpName>(
    op: K,
    path: string,
    inputs: OpInputs<K>,
    constants: OpConstants<K>,
    { dtype, shape }: TensorType,
    { into }: { readonly into?: Tensor } = {},
  ): Tensor {
    const ids = Object.entries<Tensor | undefined>(inputs).map(
      ([name, t]) => `${name}:${t ? `${t.id}[${t.shape.join(',')}]` : '-'}`,
    );
    const key = `${op} ${ids.join(' ')} ${JSON.stringify(constants)}`;
    const known = into ? undefined : this.#known.get(key);
    if (known) return known;

    const output = this.#tensor({ dtype, shape });
    if (into) {
      const external = this.#externals.get(into.id);
      if (external === undefined)
        throw new Error(`${path}: accumulates into a tensor that is not external`);
      this.#externals.set(output.id, external);
    }
    // The pairing of op, inputs and constants is checked by this method's signature.
    this.#nodes.push({ op, path, inputs, constants, output } as unknown as Node);
    if (!into) this.#known.set(key, output);
    return output;
  }

  #tensor({ dtype, shape }: TensorType): Tensor {
    return { id: this.#nextId++, dtype, shape };
  }
}

export const lastAxis = ({ shape }: TensorType): number => shape.at(-1) ?? 0;

const optionalBias = (w: Weights): Tensor | undefined =>
  w.has('bias') ? w.get('bias', 'vector', 'f32') : undefined;
