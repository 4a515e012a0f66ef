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
