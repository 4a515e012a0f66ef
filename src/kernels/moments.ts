/**
 * Moments of a tensor's values, from which a group norm makes its statistics:
 *
 *   moments   [N, chunks, 3, E]   f32: count, mean and M2 = Σ(v - mean)², over each chunk of an
 *             image's pixels, of each of E runs of C/E channels
 *
 * What is in an entry suffices to merge it with others (Chan et al. 1979), whatever the chunks are: a
 * norm can read them of any kernel that makes them. Those are groupNormPartial, and products in their
 * epilogue (tile-moments.ts). Readers are groupNormFinalize and products (norm-groups.ts).
 */
import { expectShape, format, ShapeError, type TensorType } from '../engine/kernel.ts';

/** Count, mean, M2. */
export const MOMENTS = 3;

/** As many keep a large GPU busy: about 250 for each of an H200's 132 processors. */
const INVOCATIONS = 32_768;
/** Three f32 for so many values of a channel: fewer would make moments a good part of x. */
const MIN_CHUNK_PIXELS = 32;

/** How groupNormPartial cuts an image's pixels into chunks of equal size (the last may be shorter). */
export function groupNormChunks(
  pixels: number,
  channels: number,
): { readonly chunks: number; readonly chunkPixels: number } {
  const wanted = Math.ceil(INVOCATIONS / (channels / 4));
  const chunkPixels = Math.max(MIN_CHUNK_PIXELS, Math.ceil(pixels / wanted));
  return { chunks: Math.ceil(pixels / chunkPixels), chunkPixels };
}

/** ShapeError unless they are moments of `channels` channels. */
export function expectMoments(
  what: string,
  moments: TensorType,
  channels: number,
): { readonly batch: number; readonly chunks: number; readonly entries: number } {
  const [batch = 0, chunks = 0, , entries = 0] = moments.shape;
  expectShape(what, moments, [batch, chunks, MOMENTS, entries]);
  if (moments.dtype !== 'f32' || !(entries > 0) || channels % entries !== 0) {
    throw new ShapeError(`${what} is ${format(moments)}, no f32 moments of ${channels} channels`);
  }
  return { batch, chunks, entries };
}

export const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
