/**
 * Blended content → rows of the result: colour fix against the LR image, shrinking or cropping,
 * alpha, 8 or 16 bits (round half to even).
 */
import { fixRows } from './color-fix-rows.ts';
import { CHANNELS, contentWindow, type HostPlan } from './host-plan.ts';
import type { Strip } from './resample.ts';
import { readStrip, type RowSource } from './row-source.ts';

export interface FinishInputs {
  /** Holds at least the rows' content window. */
  readonly content: Strip;
  readonly lr: RowSource;
  /** Its alpha, where it has one, is enlarged by itself. */
  readonly source: RowSource;
}

/** Rows [first, end) of the result. */
export async function finishRows(
  plan: HostPlan,
  { content, lr, source }: FinishInputs,
  first: number,
  end: number,
  depth: 8 | 16,
): Promise<Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer>> {
  const { shrink, result } = plan;
  const window = contentWindow(plan, first, end);
  // Without the halo, which only the fix looks at.
  const inner = shrink?.window(first, end) ?? { first, count: end - first };
  let rgb: Float32Array;
  let width = plan.content.width;
  if (plan.colorFix === 'none') {
    const from = (inner.first - content.first) * width * CHANNELS;
    rgb = content.data.subarray(from, from + inner.count * width * CHANNELS);
  } else {
    const style = await styleRows(plan, lr, window.first, window.end);
    const from = (window.first - content.first) * width * CHANNELS;
    const size = (window.end - window.first) * width * CHANNELS;
    const strip = {
      first: window.first,
      content: content.data.subarray(from, from + size),
      style,
      width,
      height: plan.content.height,
    };
    rgb = fixRows(plan.colorFix, strip, inner.first, inner.first + inner.count);
  }
  if (shrink) {
    rgb = shrink.rows({ ...inner, channels: CHANNELS, data: rgb }, first, end);
    width = result.width;
  }
  const alpha = source.channels === 4 ? await alphaRows(plan, source, first, end) : null;
  return quantise(rgb, { width, rows: end - first, keep: result.width, depth, alpha });
}

/** The LR image at the content's size, rows [first, end). */
async function styleRows(
  { style }: HostPlan,
  lr: RowSource,
  first: number,
  end: number,
): Promise<Float32Array> {
  const rows = style.rows(await readStrip(lr, style.window(first, end)), first, end);
  return withoutAlpha(rows, lr.channels);
}

function withoutAlpha(rows: Float32Array, channels: number): Float32Array {
  if (channels === CHANNELS) return rows;
  const rgb = new Float32Array((rows.length / channels) * CHANNELS);
  for (let i = 0, at = 0; i < rgb.length; i += CHANNELS, at += channels) {
    for (let c = 0; c < CHANNELS; c++) rgb[i + c] = rows[at + c] ?? 0;
  }
  return rgb;
}

/** Alpha at the result's size, rows [first, end): smooth edges need no network. */
async function alphaRows(
  plan: HostPlan,
  source: RowSource,
  first: number,
  end: number,
): Promise<Float32Array> {
  const strip = await readStrip(source, plan.alpha.window(first, end));
  const data = new Float32Array(strip.count * source.width);
  for (let i = 0; i < data.length; i++) data[i] = strip.data[4 * i + 3] ?? 1;
  return plan.alpha.rows({ ...strip, channels: 1, data }, first, end);
}

/** Adding this to an f32 below 2^22 leaves no bits for a fraction: it rounds, half to even. */
const ROUNDING = 1.5 * 2 ** 23;

function quantise(
  rgb: Float32Array,
  {
    width,
    rows,
    keep,
    depth,
    alpha,
  }: {
    /** Pixels per row of `rgb`, and how many of them are kept. */
    readonly width: number;
    readonly keep: number;
    readonly rows: number;
    readonly depth: 8 | 16;
    readonly alpha: Float32Array | null;
  },
): Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer> {
  const channels = alpha ? 4 : CHANNELS;
  const length = rows * keep * channels;
  const result = depth === 8 ? new Uint8Array(length) : new Uint16Array(length);
  const max = 2 ** depth - 1;
  const level = (v: number): number =>
    Math.fround(Math.fround(max * Math.min(1, Math.max(0, v))) + ROUNDING) - ROUNDING;
  for (let y = 0, out = 0; y < rows; y++) {
    for (let x = 0, at = y * width * CHANNELS; x < keep; x++, at += CHANNELS) {
      result[out++] = level(rgb[at] ?? 0);
      result[out++] = level(rgb[at + 1] ?? 0);
      result[out++] = level(rgb[at + 2] ?? 0);
      if (alpha) result[out++] = level(alpha[y * keep + x] ?? 1);
    }
  }
  return result;
}
