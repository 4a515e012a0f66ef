/**
 * How an op's output pixels depend on its inputs': what it takes to compute a band of a node.
 *
 * A tensor [N, ..., C] is N images of P pixels (the product of the middle axes) of C channels, one
 * after another, so a span of pixels of one image is contiguous. Views of one storage ([N, H, W, C],
 * [N, 1, H·W, C], [N, H·W, C]) agree on that.
 *
 *   'pixels'   an output pixel depends on the same pixel
 *   'rows'     on rows around it: a convolution's image
 *   'image'    on all of the same image (or of the only one)
 *   'all'      on everything: weights and vectors
 */
import { byteLength, sizeOf, type TensorType } from '../engine/kernel.ts';
import { gcd, groupNormChunks, MOMENTS } from '../kernels/moments.ts';
import type { Node, Tensor } from './graph.ts';
import type { OpInputs, OpName } from './ops.ts';

export type Access = 'pixels' | 'rows' | 'image' | 'all';

/** The ops that can be computed band by band. */
const ACCESS: {
  readonly [K in OpName]?: Readonly<Record<keyof OpInputs<K>, Access>>;
} = {
  activation: { x: 'pixels' },
  affine: { a: 'pixels', b: 'pixels' },
  attention: { q: 'pixels', k: 'image', v: 'image' },
  concat: { a: 'pixels', b: 'pixels' },
  conv2d: {
    x: 'rows',
    x2: 'rows',
    stats: 'image',
    beta: 'all',
    moments: 'image',
    moments2: 'image',
    affine: 'all',
    weight: 'all',
    bias: 'all',
    shift: 'image',
    residual: 'pixels',
  },
  geglu: { x: 'pixels' },
  groupNormApply: { x: 'pixels', stats: 'image', beta: 'all' },
  groupNormPartial: { x: 'pixels' },
  layerNorm: { x: 'pixels', gamma: 'all', beta: 'all' },
  linear: {
    x: 'pixels',
    x2: 'pixels',
    stats: 'image',
    beta: 'all',
    moments: 'image',
    moments2: 'image',
    affine: 'all',
    gamma: 'all',
    columns: 'all',
    weight: 'all',
    bias: 'all',
    residual: 'pixels',
  },
  upsampleConv2d: { x: 'rows', weight: 'all', bias: 'all' },
};

/** What an op reads of one input for a part of its output; undefined for ops without bands. */
export const accessOf = ({ op }: Node, input: string): Access | undefined =>
  (ACCESS[op] as Readonly<Record<string, Access>> | undefined)?.[input];

/** In causal attention a query depends on its place, which a window would hide. */
export const hasBands = (node: Node): boolean =>
  ACCESS[node.op] !== undefined && !(node.op === 'attention' && node.constants.causal);

/** The ops that read rows around a pixel. */
export type Convolution = Node<'conv2d'> | Node<'upsampleConv2d'>;

export const isConvolution = (node: Node): node is Convolution =>
  node.op === 'conv2d' || node.op === 'upsampleConv2d';

/** Bound by memory: computing a few pixels twice costs nothing that matters. */
const CHEAP: ReadonlySet<OpName> = new Set([
  'activation',
  'affine',
  'concat',
  'geglu',
  'groupNormApply',
  'layerNorm',
]);

export const isCheap = ({ op }: Node): boolean => CHEAP.has(op);

/** Pixels `start` to `end` (exclusive) of each image, or of one. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The least span that covers all of them. */
export const hull = (spans: readonly Span[]): Span => ({
  start: Math.min(...spans.map(({ start }) => start)),
  end: Math.max(...spans.map(({ end }) => end)),
});

export const widthOf = ({ shape }: TensorType): number => shape[2] ?? 1;
export const imagesOf = ({ shape }: TensorType): number => shape[0] ?? 1;
export const pixelsOf = ({ shape }: TensorType): number => sizeOf(shape.slice(1, -1));
export const pixelBytes = (type: TensorType): number =>
  byteLength(type) / (imagesOf(type) * pixelsOf(type));

/** The least number of pixels that brings windows of all `types` to the next permitted offset. */
export const alignmentOf = (types: readonly TensorType[]): number =>
  types.map((type) => alignedCount(pixelBytes(type))).reduce(lcm, 1);

/** How many pieces of `bytes` end at a permitted offset. */
const alignedCount = (bytes: number): number => OFFSET_ALIGNMENT / gcd(OFFSET_ALIGNMENT, bytes);

/** WebGPU's default minStorageBufferOffsetAlignment, which no device may exceed. */
export const OFFSET_ALIGNMENT = 256;

/** A node's tensors that its bands cover in part, in the band's own pixels. */
export function bandedTensors(node: Node): Tensor[] {
  const inputs = Object.entries<Tensor | undefined>(node.inputs).flatMap(([name, tensor]) =>
    tensor && accessOf(node, name) === 'pixels' ? [tensor] : [],
  );
  // Of groupNormPartial a band is a span of its input.
  return node.op === 'groupNormPartial' ? inputs : [...inputs, node.output];
}

/** Bands of a node, beginning at 0, are multiples of this many pixels. */
export function unitOf(node: Node): number {
  const unit = alignmentOf(bandedTensors(node));
  if (isConvolution(node)) return lcm(unit, outputRow(node));
  if (node.op !== 'groupNormPartial') return unit;
  // A chunk's moments are as many pixels of the output.
  return lcm(unit, chunkPixelsOf(node) * alignedCount(MOMENTS * pixelBytes(node.output)));
}

export const chunkPixelsOf = ({ inputs }: Node<'groupNormPartial'>): number =>
  groupNormChunks(pixelsOf(inputs.x), inputs.x.shape.at(-1) ?? 0).chunkPixels;

/**
 * The pixels of x that a convolution reads for a span of whole output rows. The first row is brought
 * forward to a multiple of `alignment` pixels, where a window can begin.
 */
export function rowsRead(node: Convolution, span: Span, alignment: number): Span {
  const [, height = 0, width = 0] = node.inputs.x.shape;
  const rows = outputRows(node, span);
  let [first, end] = [rows.start - 1, rows.end + 1];
  if (node.op === 'conv2d') {
    const { stride = 1, padding } = node.constants;
    const [taps = 1] = node.inputs.weight.shape;
    first = rows.start * stride - (padding?.top ?? 0);
    end = (rows.end - 1) * stride - (padding?.top ?? 0) + taps;
  }
  const step = alignment / gcd(alignment, width); // rows
  const start = Math.floor(Math.max(0, first) / step) * step;
  return { start: start * width, end: Math.min(height, end) * width };
}

/** The span of output rows that belong to a span of whole rows of x: they lie in its middle. */
export function rowsOver(node: Convolution, { start, end }: Span): Span {
  const [, height = 0, width = 1] = node.inputs.x.shape;
  const stride = node.op === 'conv2d' ? (node.constants.stride ?? 1) : 1;
  const pixels = pixelsOf(node.output);
  const at = (pixel: number): number =>
    pixel >= height * width
      ? pixels
      : Math.min(pixels, Math.ceil(pixel / width / stride) * outputRow(node));
  return { start: at(start), end: at(end) };
}

/** Rows of the output; of one phase for an upsampling convolution. */
const outputRows = (node: Convolution, { start, end }: Span): Span => ({
  start: start / outputRow(node),
  end: end / outputRow(node),
});

/** Pixels of one row of the output; two rows for an upsampling convolution, one per phase. */
const outputRow = ({ op, output }: Convolution): number =>
  (output.shape[2] ?? 1) * (op === 'conv2d' ? 1 : 2);

/** The node's constants for an x that is only `read`, and an output that is only `span`. */
export function bandConstants(node: Node, span: Span, read: Span | undefined): Node['constants'] {
  if (node.op === 'groupNormPartial') return { chunkPixels: chunkPixelsOf(node) };
  if (!isConvolution(node) || !read) return node.constants;
  const [, , width = 1] = node.inputs.x.shape;
  const height = (read.end - read.start) / width;
  const skipped = read.start / width;
  const rows = outputRows(node, span);
  if (node.op === 'upsampleConv2d') {
    const top = 1 + skipped - rows.start;
    const bottom = rows.end - rows.start + 2 - height - top;
    return { ...node.constants, padding: { top, bottom } };
  }
  const { stride = 1, padding } = node.constants;
  const [taps = 1] = node.inputs.weight.shape;
  const top = (padding?.top ?? 0) + skipped - rows.start * stride;
  const bottom = (rows.end - rows.start - 1) * stride + taps - height - top;
  const { left = 0, right = 0 } = padding ?? {};
  return { ...node.constants, padding: { top, left, bottom, right } };
}

export const lcm = (a: number, b: number): number => (a / gcd(a, b)) * b;
