/**
 * Moments (moments.ts) of the tile that a workgroup stores: WGSL for the end of a program.
 *
 * Every invocation brings moments over its own rows, of some columns in vectors of four. `parts`
 * invocations share a column; they merge pairwise through shared memory, as many at a time as `slots`
 * allow, for the tiles of the product take most of it. The order is always the same, and so are the
 * bits. Then each run of `params.moment_width` channels becomes one entry.
 *
 * Own rows are taken relative to the first of them: a large mean costs no precision.
 */
import { unroll } from './unroll.ts';

export const MOMENTS_BINDING = 10;

export interface TileMoments {
  /** Vectors of four columns whose moments are merged together. */
  readonly columns: number;
  /** Invocations that share a column. */
  readonly parts: number;
  /** Parts that shared memory has room for at a time. */
  readonly slots: number;
  /** Invocations of the workgroup. */
  readonly threads: number;
  /** An array of at least `momentVectors` vec4f in workgroup memory. */
  readonly scratch: string;
}

/** Of scratch memory, in vectors: a mean, an M2 and a count for every slot of every column. */
export const momentVectors = ({ columns, slots }: Pick<TileMoments, 'columns' | 'slots'>): number =>
  3 * columns * slots;

/** One of an invocation's columns: names of its variables, and its number among `columns`. */
export interface OwnColumn {
  readonly mean: string;
  readonly m2: string;
  readonly column: string;
}

/**
 * `store_moments(chunk, local, channel, n, thread)`: after `mergeMoments`, of n columns from number `local`
 * on, which are channels `channel` and so on of y; `chunk` counts those of all images.
 */
export const tileMomentsWgsl = ({ columns, slots, threads, scratch }: TileMoments): string => `
@group(0) @binding(${MOMENTS_BINDING}) var<storage, read_write> moments: array<f32>;

fn store_moments(chunk: u32, local: u32, channel: u32, n: u32, thread: u32) {
  let width = params.moment_width;
  for (var e = thread; e < n / width; e += ${threads}u) {
    let entry = channel / width + e;
    if (entry >= params.moment_entries) { continue; }
    let first = local + e * width;
    let rows = ${scratch}[first / 4u + ${2 * columns * slots}u].x;
    let origin = ${scratch}[first / 4u][first % 4u];
    var sum = 0f;
    for (var c = first; c < first + width; c++) { sum += ${scratch}[c / 4u][c % 4u] - origin; }
    let mean = sum / f32(width);
    var m2 = 0f;
    for (var c = first; c < first + width; c++) {
      let d = ${scratch}[c / 4u][c % 4u] - origin - mean;
      m2 += ${scratch}[c / 4u + ${columns * slots}u][c % 4u] + rows * d * d;
    }
    let at = chunk * 3u * params.moment_entries + entry;
    moments[at] = rows * f32(width);
    moments[at + params.moment_entries] = origin + mean;
    moments[at + 2u * params.moment_entries] = m2;
  }
}`;

/** Statements that merge all parts' moments; `count` is a variable, the same for all own columns. */
export function mergeMoments(
  { columns, parts, slots, scratch }: TileMoments,
  part: string,
  own: readonly OwnColumn[],
): string {
  const each = (make: (one: OwnColumn) => string): string => own.map(make).join('\n');
  const size = columns * slots;
  const put = (slot: string): string =>
    each(
      ({ mean, m2, column }) => `{
  let at = (${slot}) * ${columns}u + ${column};
  ${scratch}[at] = ${mean};
  ${scratch}[at + ${size}u] = ${m2};
  ${scratch}[at + ${2 * size}u] = vec4f(count);
}`,
    );
  return `
for (var left = ${parts}u; left > 1u; ) {
  let some = min(left / 2u, ${slots}u);
  left -= some;
  if (${part} >= left && ${part} < left + some) {
${put(`${part} - left`)}
  }
  workgroupBarrier();
  if (${part} + some >= left && ${part} < left) {
    var others = 0f;
${each(
  ({ mean, m2, column }) => `{
  let at = (${part} + some - left) * ${columns}u + ${column};
  others = ${scratch}[at + ${2 * size}u].x;
  let d = ${scratch}[at] - ${mean};
  let share = others / max(count + others, 1f);
  ${mean} += d * share;
  ${m2} += ${scratch}[at + ${size}u] + d * d * (count * share);
}`,
)}
    count += others;
  }
  workgroupBarrier();
}
if (${part} == 0u) {
${put('0u')}
}
workgroupBarrier();`;
}

/**
 * Statements that make moments of an invocation's own values: `mean`, `m2` of the first `count` rows of
 * `values`, the names of vectors.
 */
export const ownMoments = (
  { mean, m2 }: Pick<OwnColumn, 'mean' | 'm2'>,
  values: readonly string[],
): string => {
  const [first = ''] = values;
  const each = (make: (value: string, r: number) => string): string =>
    unroll(values.length, (r) => make(values[r] ?? '', r));
  return `var ${mean} = vec4f();
var ${m2} = vec4f();
${each((value, r) => `if (count > ${r}f) { ${mean} += ${value} - ${first}; }`)}
${mean} = ${first} + ${mean} / max(count, 1f);
${each((value, r) => `if (count > ${r}f) { ${m2} += (${value} - ${mean}) * (${value} - ${mean}); }`)}`;
};
