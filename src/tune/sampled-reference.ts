/**
 * What some pixels of a node's output should be, in f64: the kernels' own references, given only what
 * these pixels depend on. A few pixels with all their channels cost little even at full size, and
 * show whatever is wrong with a program as such; test/kernels looks at every element of small shapes.
 *
 *   linear            one row of x and the whole weight
 *   conv2d            the patch of x under one pixel, zeros outside the image
 *   upsampleConv2d    the same, with the weights of the pixel's phase
 *   attention         one query and all the keys that it sees
 *
 * Where x is normalized as it is read, its pixels are here, too.
 */
import { sizeOf, type TensorType } from '../engine/kernel.ts';
import type { Node } from '../graph/graph.ts';
import type { OpName } from '../graph/ops.ts';
import { attentionReference } from '../kernels/attention.ts';
import { conv2dReference } from '../kernels/conv2d.ts';
import type { Activation } from '../kernels/epilogue.ts';
import { groupNormApplyReference } from '../kernels/group-norm-apply.ts';
import { linearReference } from '../kernels/linear.ts';
import { type Distribution, type Noise, noiseOf, once, uniform } from './noise.ts';
import { CHUNK_NMSE, HALF_NMSE, SINGLE_NMSE, sumNmse } from './tolerance.ts';

/** By name; an optional input may be absent. */
export type Inputs = Readonly<Record<string, Noise | undefined>>;

export interface Reference {
  readonly inputs: Inputs;
  /** The channels of one pixel: output elements from `pixel · channels` on. */
  expected(pixel: number): Float32Array;
  /** Of what a design gives; see tolerance.ts. */
  maxNmse(design: string): number;
}

type OpNode<K extends OpName> = Extract<Node, { op: K }>;

const REFERENCES: { readonly [K in OpName]?: (node: OpNode<K>) => Reference } = {
  linear,
  conv2d,
  upsampleConv2d,
  attention,
};

/** undefined: there is none for this op, so its designs cannot be told right from wrong. */
export function referenceOf(node: Node): Reference | undefined {
  const make = REFERENCES[node.op] as ((node: Node) => Reference) | undefined;
  return make?.(node);
}

/** First, last and some between, at most `count` of `pixels`; always the same ones. */
export function samplePixels(pixels: number, count: number): number[] {
  if (pixels <= count) return Array.from({ length: pixels }, (_, i) => i);
  const chosen = new Set([0, pixels - 1]);
  const next = uniform(pixels);
  while (chosen.size < count) chosen.add(Math.floor(next() * pixels));
  return [...chosen].toSorted((a, b) => a - b);
}

// --- ops ------------------------------------------------------------------------------------------

function linear({ inputs, constants, output }: OpNode<'linear'>): Reference {
  const [inner = 0, columns = 0] = inputs.weight.shape;
  const own = inputs.x.shape.at(-1) ?? 0;
  const rowsPerImage = sizeOf(inputs.x.shape) / own / (inputs.x.shape[0] ?? 1);
  const data = noises(inputs, inner);
  const weight = wholly(data.weight);
  const normalized = normOf(data, constants.normActivation);
  return {
    inputs: data,
    maxNmse: sumLimit(output, inner, inputs),
    expected(row) {
      const x = new Float32Array(inner);
      x.set(normalized(data.x.slice(row * own, own), Math.floor(row / rowsPerImage)));
      if (data.x2) x.set(data.x2.slice(row * (inner - own), inner - own), own);
      return linearReference(
        {
          x,
          weight: weight(),
          bias: data.bias?.slice(0, columns),
          residual: data.residual?.slice(row * columns, columns),
          gamma: data.gamma?.slice(0, inner),
          columns: data.columns?.slice(0, columns),
        },
        { ...constants, inner },
      );
    },
  };
}

function conv2d({ inputs, constants, output }: OpNode<'conv2d'>): Reference {
  const [tapsY = 0, tapsX = 0, ci = 0, co = 0] = inputs.weight.shape;
  const { stride = 1, padding = { top: 0, left: 0 }, activation = 'none' } = constants;
  const data = noises(inputs, tapsY * tapsX * ci);
  const weight = wholly(data.weight);
  const shapes = { x: [1, tapsY, tapsX, ci], weight: inputs.weight.shape };
  const at = placeIn(output);
  const normalized = normOf(data, constants.normActivation);
  return {
    inputs: data,
    maxNmse: sumLimit(output, tapsY * tapsX * ci, inputs),
    expected(pixel) {
      const { n, y, x } = at(pixel);
      const corner = { n, y: y * stride - padding.top, x: x * stride - padding.left };
      return conv2dReference(
        {
          x: patchOf(data.x, corner, { height: tapsY, width: tapsX, normalized }),
          weight: weight(),
          bias: data.bias?.slice(0, co),
          shift: data.shift?.slice(inputs.shift?.shape[0] === 1 ? 0 : n * co, co),
          residual: data.residual?.slice(pixel * co, co),
        },
        shapes,
        { activation },
      );
    },
  };
}

function upsampleConv2d({ inputs, constants, output }: OpNode<'upsampleConv2d'>): Reference {
  const [, , taps = 0, , ci = 0, co = 0] = inputs.weight.shape;
  const { activation = 'none', padding = { top: 1 } } = constants;
  const inner = taps * taps * ci;
  const data = noises(inputs, inner);
  const shapes = { x: [1, taps, taps, ci], weight: [taps, taps, ci, co] };
  const at = placeIn(output);
  return {
    inputs: data,
    maxNmse: sumLimit(output, inner, {}),
    expected(pixel) {
      const { n, y, x } = at(pixel);
      const phase = { y: y % 2, x: x % 2 };
      const corner = {
        n,
        y: (y - phase.y) / 2 + phase.y - padding.top,
        x: (x - phase.x) / 2 + phase.x - 1,
      };
      return conv2dReference(
        {
          x: patchOf(data.x, corner, { height: taps, width: taps }),
          weight: data.weight.slice((2 * phase.y + phase.x) * inner * co, inner * co),
          bias: data.bias?.slice(0, co),
        },
        shapes,
        { activation },
      );
    },
  };
}

function attention({ inputs, constants, output }: OpNode<'attention'>): Reference {
  const [, queries = 0] = inputs.q.shape;
  const [kvBatch = 0, keys = 0] = inputs.k.shape;
  const { heads, causal = false, channels = inputs.q.shape[2] ?? 0, offsets } = constants;
  const data = noises(inputs, 1);
  const rows = (noise: Noise, first: number, count: number): Float32Array => {
    const width = noise.type.shape[2] ?? 0;
    return noise.slice(first * width, count * width);
  };
  return {
    inputs: data,
    maxNmse: () => limitOf(output, SINGLE_NMSE),
    expected(row) {
      const n = Math.floor(row / queries);
      const seen = causal ? (row % queries) + 1 : keys;
      const first = kvBatch === 1 ? 0 : n * keys;
      const parts = {
        q: rows(data.q, row, 1),
        k: rows(data.k, first, seen),
        v: rows(data.v, first, seen),
      };
      const sizes = { batch: 1, kvBatch: 1, queries: 1, keys: seen };
      return attentionReference(parts, { heads, channels, ...(offsets && { offsets }), ...sizes });
    },
  };
}

// --- parts ----------------------------------------------------------------------------------------

const limitOf = ({ dtype }: TensorType, single: number): number =>
  dtype === 'f16' ? HALF_NMSE : single;

/** What was normalized or multiplied as it was read is stored as f16 once more, where x is f16. */
const sumLimit = (
  output: TensorType,
  terms: number,
  { x, stats, gamma }: { readonly [K in 'x' | 'stats' | 'gamma']?: TensorType | undefined },
): ((design: string) => number) => {
  const staged = x?.dtype === 'f16' && (stats ?? gamma) ? HALF_NMSE : 0;
  const limit = Math.max(limitOf(output, sumNmse(terms)), staged);
  return (design) => Math.max(limit, design.endsWith('chunk') ? CHUNK_NMSE : 0);
};

/** Pixels of image n of x as the products see them. */
type Normalized = (x: Float32Array, n: number) => Float32Array;

function normOf(
  { stats, beta }: { readonly stats?: Noise | undefined; readonly beta?: Noise | undefined },
  activation: Activation = 'none',
): Normalized {
  if (!stats || !beta) return (x) => x;
  const channels = sizeOf(beta.type.shape);
  const data = once(() => ({ beta: beta.slice(0, channels) }));
  return (x, n) =>
    groupNormApplyReference(
      { ...data(), x, stats: stats.slice(n * 2 * channels, 2 * channels) },
      { activation },
    );
}

/** Noise for every input that is there; weights so that sums of `inner` products have power 1. */
function noises<T extends object>(
  inputs: T,
  inner: number,
): { readonly [K in keyof T]: undefined extends T[K] ? Noise | undefined : Noise } {
  const entries = Object.entries(inputs) as [string, TensorType | undefined][];
  const made = entries.flatMap(([name, type], i) => {
    // A mean that is not zero shows padding that is not.
    const distribution: Distribution =
      name === 'weight' ? { std: 1 / Math.sqrt(inner) } : name === 'x' ? { mean: 0.25 } : {};
    return type ? [[name, noiseOf(type, i + 1, distribution)] as const] : [];
  });
  return Object.fromEntries(made) as ReturnType<typeof noises<T>>;
}

/** All values. */
const wholly = (noise: Noise): (() => Float32Array) =>
  once(() => noise.slice(0, sizeOf(noise.type.shape)));

interface Place {
  readonly n: number;
  readonly y: number;
  readonly x: number;
}

const placeIn =
  ({ shape: [, height = 0, width = 0] }: TensorType) =>
  (pixel: number): Place => ({
    n: Math.floor(pixel / (height * width)),
    y: Math.floor(pixel / width) % height,
    x: pixel % width,
  });

/** [height, width, Ci] of x from `corner` on, normalized; zeros outside. */
function patchOf(
  noise: Noise,
  corner: Place,
  {
    height,
    width,
    normalized = (x) => x,
  }: { readonly height: number; readonly width: number; readonly normalized?: Normalized },
): Float32Array {
  const [, rows = 0, columns = 0, ci = 0] = noise.type.shape;
  const patch = new Float32Array(height * width * ci);
  for (let tap = 0; tap < height * width; tap++) {
    const [y, x] = [corner.y + Math.floor(tap / width), corner.x + (tap % width)];
    if (y < 0 || y >= rows || x < 0 || x >= columns) continue;
    const pixel = noise.slice(((corner.n * rows + y) * columns + x) * ci, ci);
    patch.set(normalized(pixel, corner.n), tap * ci);
  }
  return patch;
}
