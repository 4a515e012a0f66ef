/**
 * The colour fixes of kernels/wavelet-low.ts and ycbcr-fix.ts on the host, for a strip of rows of an image of any height.
 *
 *   wavelet   content + low(style − content); low = five passes of [1 2 1]⊗[1 2 1]/16, dilations 1 … 16
 *   ycbcr     Y of the content, Cb and Cr of the style
 *
 *   content, style, y    [rows, W, 3] f32
 *
 * A row of `wavelet` needs 31 = 1 + 2 + 4 + 8 + 16 rows on either side, as far as the image has
 * them; beyond its border the outermost row repeats in every pass. What is computed for a row does
 * not depend on the strip it is computed in.
 */
import type { ColorFix } from './image-graphs.ts';

const CHANNELS = 3;
const DILATIONS = [1, 2, 4, 8, 16];
const REACH = DILATIONS.reduce((sum, dilation) => sum + dilation, 0);

/** Rows of content that the fix of a row looks at above and below it. */
export const haloOf = (fix: ColorFix): number => (fix === 'wavelet' ? REACH : 0);

export interface FixStrip {
  /** Row of the image that the strips begin with. */
  readonly first: number;
  readonly content: Float32Array;
  readonly style: Float32Array;
  readonly width: number;
  /** Rows of the whole image. */
  readonly height: number;
}

/** Rows [first, end) of the image; the strips hold them and their halo. */
export function fixRows(
  fix: Exclude<ColorFix, 'none'>,
  strip: FixStrip,
  first: number,
  end: number,
): Float32Array<ArrayBuffer> {
  return fix === 'wavelet' ? wavelet(strip, first, end) : ycbcr(strip, first, end);
}

function wavelet(
  { first: top, content, style, width, height }: FixStrip,
  first: number,
  end: number,
): Float32Array<ArrayBuffer> {
  const row = width * CHANNELS;
  // Rows of the strip that are right so far: a pass spoils `dilation` of them at a cut edge.
  let low = Math.max(0, first - REACH);
  let high = Math.min(height, end + REACH);
  const offset = low;
  let x = new Float32Array((high - low) * row);
  const from = (low - top) * row;
  for (let i = 0; i < x.length; i++) x[i] = (style[from + i] ?? 0) - (content[from + i] ?? 0);
  let y = new Float32Array(x.length);
  const line = new Float32Array(row);
  for (const dilation of DILATIONS) {
    if (low > 0) low += dilation;
    if (high < height) high -= dilation;
    for (let i = low; i < high; i++) {
      const above = (Math.max(0, i - dilation) - offset) * row;
      const below = (Math.min(height - 1, i + dilation) - offset) * row;
      const here = (i - offset) * row;
      for (let j = 0; j < row; j++) {
        line[j] = 0.25 * ((x[above + j] ?? 0) + (x[below + j] ?? 0)) + 0.5 * (x[here + j] ?? 0);
      }
      lowAlong(line, y.subarray(here, here + row), dilation * CHANNELS);
    }
    [x, y] = [y, x];
  }
  const result = new Float32Array((end - first) * row);
  const inContent = (first - top) * row;
  const inLow = (first - offset) * row;
  for (let i = 0; i < result.length; i++) {
    result[i] = (content[inContent + i] ?? 0) + (x[inLow + i] ?? 0);
  }
  return result;
}

/** [1 2 1]/4 along a row; `reach` in values. */
function lowAlong(x: Float32Array, y: Float32Array, reach: number): void {
  const last = x.length - CHANNELS;
  const left = (i: number): number => (i >= reach ? i - reach : i % CHANNELS);
  const right = (i: number): number => (i + reach < x.length ? i + reach : last + (i % CHANNELS));
  const tap = (i: number): number =>
    0.25 * ((x[left(i)] ?? 0) + (x[right(i)] ?? 0)) + 0.5 * (x[i] ?? 0);
  const inner = Math.min(reach, x.length);
  for (let i = 0; i < inner; i++) y[i] = tap(i);
  for (let i = reach; i < x.length - reach; i++) {
    y[i] = 0.25 * ((x[i - reach] ?? 0) + (x[i + reach] ?? 0)) + 0.5 * (x[i] ?? 0);
  }
  for (let i = Math.max(inner, x.length - reach); i < x.length; i++) y[i] = tap(i);
}

const clamp = (v: number): number => Math.min(1, Math.max(0, v));

/** MATLAB's rgb2ycbcr and its inverse as rounded in InvSR; see kernels/ycbcr-fix.ts. */
function ycbcr(
  { first: top, content, style, width }: FixStrip,
  first: number,
  end: number,
): Float32Array<ArrayBuffer> {
  const result = new Float32Array((end - first) * width * CHANNELS);
  const from = (first - top) * width * CHANNELS;
  for (let i = 0; i < result.length; i += CHANNELS) {
    const at = from + i;
    const luma = clamp(
      (65.481 * (content[at] ?? 0) +
        128.553 * (content[at + 1] ?? 0) +
        24.966 * (content[at + 2] ?? 0) +
        16) /
        255,
    );
    const [r, g, b] = [style[at] ?? 0, style[at + 1] ?? 0, style[at + 2] ?? 0];
    const cb = clamp((-37.797 * r - 74.203 * g + 112 * b + 128) / 255);
    const cr = clamp((112 * r - 93.786 * g - 18.214 * b + 128) / 255);
    result[i] = clamp(255 * (0.00456621 * luma + 0.00625893 * cr) - 222.921 / 255);
    result[i + 1] = clamp(
      255 * (0.00456621 * luma - 0.00153632 * cb - 0.00318811 * cr) + 135.576 / 255,
    );
    result[i + 2] = clamp(255 * (0.00456621 * luma + 0.00791071 * cb) - 276.836 / 255);
  }
  return result;
}
