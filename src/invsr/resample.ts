/**
 * Antialiased bicubic resizing on the host, rows of the result from a strip of rows of the source.
 *
 *   y[i] = Σ_j K((j + ½ − c)/m)·x[j] / Σ_j K(…)      c = (i + ½)·ratio, m = max(ratio, 1), a = −½
 *
 * The kernel `bicubicAntialias` (kernels/resize.ts) in f64: half-pixel centres, taps outside the
 * image dropped. `ratio` is source pixels per result pixel; it is given apart from the sizes, so
 * that a result may end inside or past the source's last pixel and still lie exactly.
 */
/** Rows [first, first + count) of an image, [count, W, channels]. */
export interface Strip {
  readonly first: number;
  readonly count: number;
  readonly channels: number;
  readonly data: Float32Array;
}

export interface Axis {
  /** Length of the source. */
  readonly from: number;
  /** Length of the result. */
  readonly to: number;
  /** @default from / to */
  readonly ratio?: number;
}

interface Taps {
  readonly first: Int32Array;
  readonly end: Int32Array;
  /** Of result pixel i: `weights[i · stride]` and on. */
  readonly weights: Float64Array;
  readonly stride: number;
}

const A = -0.5;

function keys(distance: number): number {
  const d = Math.abs(distance);
  if (d <= 1) return ((A + 2) * d - (A + 3)) * d * d + 1;
  return d < 2 ? A * (((d - 5) * d + 8) * d - 4) : 0;
}

function tapsOf({ from, to, ratio = from / to }: Axis): Taps {
  const stretch = Math.max(ratio, 1);
  const stride = Math.ceil(4 * stretch) + 1;
  const first = new Int32Array(to);
  const end = new Int32Array(to);
  const weights = new Float64Array(to * stride);
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * ratio;
    const low = Math.min(from - 1, Math.max(0, Math.trunc(centre - 2 * stretch + 0.5)));
    const high = Math.max(low + 1, Math.min(from, Math.trunc(centre + 2 * stretch + 0.5)));
    let sum = 0;
    for (let j = low; j < high; j++) {
      const weight = keys((j + 0.5 - centre) / stretch);
      weights[i * stride + j - low] = weight;
      sum += weight;
    }
    for (let k = 0; k < high - low; k++)
      weights[i * stride + k] = (weights[i * stride + k] ?? 0) / sum;
    first[i] = low;
    end[i] = high;
  }
  return { first, end, weights, stride };
}

export class Resizer {
  readonly #rows: Taps;
  readonly #columns: Taps;
  readonly #from: number;
  readonly #to: number;

  constructor(rows: Axis, columns: Axis) {
    this.#rows = tapsOf(rows);
    this.#columns = tapsOf(columns);
    this.#from = columns.from;
    this.#to = columns.to;
  }

  /** The source's rows that the result's rows [first, end) are made of. */
  window(first: number, end: number): { readonly first: number; readonly count: number } {
    const low = this.#rows.first[first] ?? 0;
    return { first: low, count: (this.#rows.end[end - 1] ?? 0) - low };
  }

  /** Rows [first, end) of the result; `strip` holds at least their window. */
  rows(strip: Strip, first: number, end: number): Float32Array<ArrayBuffer> {
    const { first: low, count } = this.window(first, end);
    const across = this.#across(strip, low, count);
    const width = this.#to * strip.channels;
    const result = new Float32Array((end - first) * width);
    const { first: starts, end: ends, weights, stride } = this.#rows;
    for (let y = first; y < end; y++) {
      const from = starts[y] ?? 0;
      const row = result.subarray((y - first) * width, (y - first + 1) * width);
      const sums = new Float64Array(width);
      for (let j = from; j < (ends[y] ?? 0); j++) {
        const weight = weights[y * stride + j - from] ?? 0;
        const at = (j - low) * width;
        for (let i = 0; i < width; i++) sums[i] = (sums[i] ?? 0) + weight * (across[at + i] ?? 0);
      }
      row.set(sums);
    }
    return result;
  }

  /** Rows [low, low + count) of the source, resized along the row only. */
  #across(strip: Strip, low: number, count: number): Float64Array {
    const { channels } = strip;
    const { first, end, weights, stride } = this.#columns;
    const result = new Float64Array(count * this.#to * channels);
    for (let row = 0, out = 0; row < count; row++) {
      const start = (low - strip.first + row) * this.#from * channels;
      for (let x = 0; x < this.#to; x++) {
        const from = first[x] ?? 0;
        const taps = (end[x] ?? 0) - from;
        for (let c = 0; c < channels; c++, out++) {
          let sum = 0;
          for (let k = 0, at = start + from * channels + c; k < taps; k++, at += channels) {
            sum += (weights[x * stride + k] ?? 0) * (strip.data[at] ?? 0);
          }
          result[out] = sum;
        }
      }
    }
    return result;
  }
}
