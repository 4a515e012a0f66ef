/** Values moved between our channels-last layouts and ONNX's channels-first ones. */

/** [N, H, W, C] → [N, C, H, W]. */
export function channelsFirst(
  values: Float32Array,
  [n = 1, h = 1, w = 1, c = 1]: readonly number[],
): Float32Array {
  const turned = new Float32Array(values.length);
  for (let image = 0; image < n; image++) {
    turnMatrix(values, turned, { at: image * h * w * c, rows: h * w, columns: c });
  }
  return turned;
}

/** [N, C, H, W] → [N, H, W, C]; `shape` is the latter. */
export function channelsLast(
  values: Float32Array,
  [n = 1, h = 1, w = 1, c = 1]: readonly number[],
): Float32Array {
  const turned = new Float32Array(values.length);
  for (let image = 0; image < n; image++) {
    turnMatrix(values, turned, { at: image * h * w * c, rows: c, columns: h * w });
  }
  return turned;
}

/** [KH, KW, Ci, Co] → [Co, Ci, KH, KW]. */
export function outputsFirst(
  values: Float32Array,
  [kh = 1, kw = 1, ci = 1, co = 1]: readonly number[],
): Float32Array {
  const turned = new Float32Array(values.length);
  const taps = kh * kw;
  let from = 0;
  for (let tap = 0; tap < taps; tap++) {
    for (let i = 0; i < ci; i++) {
      for (let o = 0; o < co; o++) turned[(o * ci + i) * taps + tap] = values[from++] ?? 0;
    }
  }
  return turned;
}

function turnMatrix(
  from: Float32Array,
  to: Float32Array,
  { at, rows, columns }: { readonly at: number; readonly rows: number; readonly columns: number },
): void {
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      to[at + c * rows + r] = from[at + r * columns + c] ?? 0;
    }
  }
}

/** Columns v0 v1 g0 g1 v2 v3 … of a gated product → all values, then all gates. */
export function ungated(values: Float32Array, columns: number): Float32Array {
  const half = columns / 2;
  const turned = new Float32Array(values.length);
  for (const [i, value] of values.entries()) {
    const column = i % columns;
    const pair = 2 * Math.floor(column / 4) + (column % 2);
    turned[i - column + pair + (column % 4 < 2 ? 0 : half)] = value;
  }
  return turned;
}

/** `channels` of every row of `width`, from one on. */
export function window(
  values: Float32Array,
  {
    width,
    from,
    channels,
  }: { readonly width: number; readonly from: number; readonly channels: number },
): Float32Array {
  if (width === channels) return values;
  const rows = values.length / width;
  const part = new Float32Array(rows * channels);
  for (let row = 0; row < rows; row++) {
    const start = row * width + from;
    part.set(values.subarray(start, start + channels), row * channels);
  }
  return part;
}
