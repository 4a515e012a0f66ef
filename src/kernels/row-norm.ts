/**
 * Layer normalization of the rows that a product reads, while it reads them. With γ, β the norm's and
 * W, b the product's,
 *
 *   LN(x)·W + b = rstd · (x·γW - mean · Σ over k of γW) + (βW + b)
 *
 * so the program multiplies x by γ as it fetches it, sums each row's deviations d and their squares on
 * the way, and the epilogue does the rest. `columns` = γ·W and the bias β·W + b are products that run once.
 *
 * Deviations are from the row's first element, which keeps E[d²] - E[d]² from cancelling where a row lies
 * far from zero. Every block of columns reads x and sums it again; a dispatch is saved, and a write and a
 * read of x.
 */
import { unroll } from './unroll.ts';

/** `row_norm`: mean and rstd from a row's (Σ d, Σ d²). `normalized`: a sum of x·γW as that of LN(x)·W. */
export const ROW_NORM = `
fn row_norm(origin: f32, deviations: vec2f) -> vec2f {
  let m = deviations / f32(params.ci4 * 4u);
  return vec2f(origin + m.x, inverseSqrt(max(m.y - m.x * m.x, 0f) + params.row_eps));
}

fn normalized(sum: vec4f, row: vec2f, c: u32) -> vec4f {
  return (sum - row.x * load_columns(c)) * row.y;
}`;

/** The pieces of a program whose invocation fetches vector `kx` of pixels q, q + stride, … */
export interface RowNormFetch {
  /** Pixels that an invocation fetches, and from one to the next. */
  readonly fetches: number;
  readonly stride: number;
  /** Invocations that share a pixel. */
  readonly depth: number;
}

export function rowNormWgsl({ fetches, stride, depth }: RowNormFetch) {
  return {
    shared: `var<workgroup> row_norms: array<vec2f, ${fetches * stride}>;`,
    /** Once `at0`, … are known. */
    begin: unroll(
      fetches,
      (s) => `  var deviations${s} = vec2f();
  var origin${s} = 0f;
  if (at${s} != OUTSIDE) { origin${s} = load_x(at${s}).x; }`,
    ),
    /** In place of load_input; leaves the vector in `value`. */
    load: (s: number) => `let found = load_x(at${s} + k + kx);
let d = found - origin${s};
deviations${s} += vec2f(dot(d, vec4f(1)), dot(d, d));
let value = found * load_gamma(k + kx);`,
    /** After the last step: one after another, so that the order of additions is always the same. */
    end: `  for (var turn = 0u; turn < ${depth}u; turn++) {
    workgroupBarrier();
    if (kx == turn) {
${unroll(
  fetches,
  (s) => `      {
        var sums = deviations${s};
        if (turn > 0u) { sums += row_norms[q + ${stride * s}u]; }
        if (turn == ${depth - 1}u) { sums = row_norm(origin${s}, sums); }
        row_norms[q + ${stride * s}u] = sums;
      }`,
)}
    }
  }
  workgroupBarrier();`,
  };
}
