/** Windows on tensors: the same storage, or a piece of it, from a byte offset on. */
import { byteLength, type Shape, type TensorType } from '../engine/kernel.ts';
import { MOMENTS } from '../kernels/moments.ts';
import type { Node, Tensor } from './graph.ts';
import type { Part } from './parts.ts';
import { chunkPixelsOf, imagesOf, pixelBytes, pixelsOf, widthOf } from './spans.ts';
import type { Band } from './strips.ts';

/** A span of one image, and the tensor that holds it, or more. */
export interface Piece extends Part {
  readonly tensor: Tensor;
}

/** A span of one image of `tensor`, which may lie in pieces. */
export function windowOf(
  tensor: Tensor,
  { image, start, end }: Band,
  pieces: readonly Piece[],
  keepsRows: boolean,
): Tensor {
  const width = widthOf(tensor);
  const channels = tensor.shape.at(-1) ?? 0;
  const length = end - start;
  const flat = tensor.shape.length === 3 ? [1, length, channels] : [1, 1, length, channels];
  const shape = keepsRows ? [1, length / width, width, channels] : flat;
  if (pieces.length === 0) {
    const first = image * pixelsOf(tensor) + start;
    return viewOf(tensor, first * pixelBytes(tensor), shape);
  }
  const piece = pieces.find(
    ({ image: n, stored }) => n === image && stored.start <= start && end <= stored.end,
  );
  if (!piece) throw new Error(`tensor ${tensor.id} has no piece for pixels ${start} to ${end}`);
  return viewOf(piece.tensor, (start - piece.stored.start) * pixelBytes(tensor), shape);
}

/** Image n, or the only one. */
export function imageAt(tensor: Tensor, n: number): Tensor {
  const images = imagesOf(tensor);
  if (images === 1) return tensor;
  return viewOf(tensor, (n * byteLength(tensor)) / images, [1, ...tensor.shape.slice(1)]);
}

/** The rows of groupNormPartial's output that belong to a span of whole chunks. */
export function chunksOf(node: Node<'groupNormPartial'>, { image, start, end }: Band): Tensor {
  const { output } = node;
  const [, chunks = 0, ...rest] = output.shape;
  const size = chunkPixelsOf(node);
  const first = start / size;
  const offset = (image * chunks + first) * MOMENTS * pixelBytes(output);
  return viewOf(output, offset, [1, Math.ceil(end / size) - first, ...rest]);
}

function viewOf({ id, dtype, shape: full }: Tensor, offset: number, shape: Shape): Tensor {
  const whole: TensorType = { dtype, shape: full };
  if (byteLength({ dtype, shape }) === byteLength(whole)) return { id, dtype, shape };
  return { id, dtype, shape, window: { offset, whole } };
}
