/** What of a photo this graphics card can sharpen at once. */
import type { Size } from './regions.ts';

export interface Limits {
  readonly maxTextureDimension2D: number;
  readonly maxStorageBufferBindingSize: number;
}

/**
 * `whole`: all of it. `view`: only parts at a time, shown over the photo. `crop`: even the texture of
 * the result is too large, so that a part must be cut out first. `none`: the photo itself is.
 */
export type Fit = 'whole' | 'view' | 'crop' | 'none';

const SCALE = 4;
/** A texture beyond this would take the room that the networks need. */
const LARGEST_RESULT = 2 ** 30;

export function fitOf({ width, height }: Size, limits: Limits): Fit {
  const side = Math.max(width, height);
  if (side > limits.maxTextureDimension2D) return 'none';
  const pixels = SCALE * SCALE * width * height;
  if (SCALE * side > limits.maxTextureDimension2D || 4 * pixels > LARGEST_RESULT) return 'crop';
  // The engine blends tiles in four floats for each pixel.
  return 16 * pixels > limits.maxStorageBufferBindingSize ? 'view' : 'whole';
}
