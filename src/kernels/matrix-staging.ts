/**
 * What the product on subgroup matrices stages in shared memory, step by step: x as matrix-gather.ts
 * has it; weights as rows of as many channels, or not at all (direct): rows `co4` vectors apart, or in
 * blocks of one matrix (blocks.ts).
 *
 *   x_tile       [pixels, depth + pad]        halo: [rows + 2, 18, depth + pad]
 *   weight_tile  [depth, columns + pad]       depth 32, pad 8 in f16; 16 and 4 in f32: as many bytes
 *
 * Four channels of x pass through `load_input` on the way, once per staged element.
 */
import { type MatrixPlace, matrixWgsl } from '../engine/subgroup-matrix.ts';
import { flatOf, HALO_PITCH, haloOf, stepOf } from './matrix-gather.ts';
import { type MatrixDesign, THREADS } from './matrix-tiles.ts';
import { unroll } from './unroll.ts';

/** Statements of `main`, in the order of their use. */
export interface Staging {
  readonly declarations: string;
  /** `steps`, and for flat tiles `first`, the first pixel; for halo tiles `first_y`, `first_x`. */
  readonly setup: string;
  /** Loads of the next step into registers. */
  readonly fetch: string;
  /** Products of the step in shared memory. */
  readonly multiply: (products: Products) => string;
  /** Registers to shared memory; then on to the next step. */
  readonly put: string;
}

/** Where matrices are loaded from: by group of columns, by row of pixels. */
export type Products = (
  weightAt: (g: number) => MatrixPlace,
  xAt: (r: number) => MatrixPlace,
) => string;

/** `isSplit`: only the workgroup's `part` of the steps, of `params.splits` (gemm-split.ts). */
export function stagingOf(design: MatrixDesign, isSplit: boolean): Staging {
  const { columns, isHalo, isDirect, inBlocks, matrix, subgroupColumns } = design;
  const { n, k } = matrix;
  const { vector } = matrixWgsl({ matrix });
  const step = stepOf(matrix);
  const { depth, vectors, pitch } = step;
  const x = isHalo ? haloOf(design, step) : flatOf(design, step);
  const weightPitch = columns / 4 + step.pad;
  const weightSlots = (depth * columns) / 4 / THREADS;
  /** As it is stored, where matrices take it so. */
  const loadWeight = (i: string) =>
    matrix.component === 'f16' ? `weight[${i}]` : `load_weight(${i})`;
  const rowsApart = (THREADS * 4) / columns;
  const eachWeight = (make: (s: number) => string) => (isDirect ? '' : unroll(weightSlots, make));

  // The tap of a step is found in ty and tx, its channels from vector k on.
  const tapsInside = isHalo && isDirect;
  const next = tapsInside
    ? `k += ${vectors}u;`
    : isHalo
      ? `tx++;
if (tx == params.taps_x) { tx = 0u; ty++; }
if (ty == params.taps_y) { ty = 0u; k += ${vectors}u; }`
      : `k += ${vectors}u;
if (k >= params.ci4) {
  k = 0u;
  tx++;
  if (tx == params.taps_x) { tx = 0u; ty++; }
${x.locate}
}`;

  const xAt =
    (at: string) =>
    (r: number): MatrixPlace => ['x_tile', `${at} + ${x.matrixAt(r)} + d / 4u`, `${pitch}u`];
  const staged = (g: number): MatrixPlace => [
    'weight_tile',
    `d * ${weightPitch}u + right * ${subgroupColumns / 4}u + ${(g * n) / 4}u`,
    `${weightPitch}u`,
  ];
  // Rows above and columns before are as many vectors either way; only whole matrices are counted.
  const direct =
    (row: string) =>
    (g: number): MatrixPlace => {
      const column = `min(tile_c + right * ${subgroupColumns / 4}u + ${(g * n) / 4}u, params.co4 - ${n / 4}u)`;
      const first = `(${row} + d) * params.co4`;
      return inBlocks
        ? ['weight', `${first} + ${column} * ${k}u`, `${n / 4}u`]
        : ['weight', `${first} + ${column}`, 'params.co4'];
    };
  const eachDepth = (body: string) => `for (var d = 0u; d < ${depth}u; d += ${k}u) {\n${body}\n}`;

  return {
    declarations: `var<workgroup> x_tile: array<${vector}, ${x.pixels * pitch}>;
${isDirect ? '' : `var<workgroup> weight_tile: array<${vector}, ${depth * weightPitch}>;`}`,
    setup: `let chunks = (params.ci4 + ${vectors - 1}u) / ${vectors}u;
${rangeOf(isHalo, isSplit, vectors)}
${tapsInside ? '' : isHalo ? 'steps *= params.taps_y * params.taps_x;' : ''}
// Of the step in shared memory.
var staged_k = 0u;
var staged_row = 0u;
var staged_at = 0u;
let kx = thread & ${vectors - 1}u;
let q = thread / ${vectors}u;
${x.setup}
${x.locate}
${unroll(x.slots, (s) => `var x${s} = ${vector}();`, ' ')}
${isDirect ? '' : `let weight_row = thread / ${columns / 4}u;\nlet weight_c = thread - weight_row * ${columns / 4}u;`}
${eachWeight((s) => `var w${s} = ${vector}();`)}`,
    fetch: `${isHalo && !isDirect ? 'if (ty == 0u && tx == 0u) {' : '{'}
${unroll(
  x.slots,
  (s) => `x${s} = ${vector}();
if (at${s} != OUTSIDE && k + kx < params.ci4) { x${s} = ${vector}(load_input(area.image, at${s} + k + kx, k + kx)); }`,
)}
}
${
  isDirect
    ? ''
    : `let row = area.weights + (ty * params.taps_x + tx) * ci + k * 4u + weight_row;
let is_column = tile_c + weight_c < params.co4;`
}
${eachWeight(
  (s) => `w${s} = ${vector}();
if (is_column && k * 4u + weight_row + ${s * rowsApart}u < ci) { w${s} = ${loadWeight(`(row + ${s * rowsApart}u) * params.co4 + tile_c + weight_c`)}; }`,
)}`,
    multiply: (products) => {
      if (!isDirect) return eachDepth(products(staged, xAt('staged_at')));
      const inside = (body: string) => `if (staged_k + d < ci) {\n${body}\n}`;
      if (!isHalo) {
        return eachDepth(inside(products(direct('staged_row'), xAt('staged_at'))));
      }
      return `var tap_row = staged_row;
for (var tap_y = 0u; tap_y < params.taps_y; tap_y++) {
for (var tap_x = 0u; tap_x < params.taps_x; tap_x++) {
let tap_at = (tap_y * ${HALO_PITCH}u + tap_x) * ${pitch}u;
${eachDepth(inside(products(direct('tap_row'), xAt('tap_at'))))}
tap_row += ci;
}
}`;
    },
    put: `${isHalo && !isDirect ? 'if (ty == 0u && tx == 0u) {' : '{'}
${x.put}
}
${eachWeight((s) => `weight_tile[(weight_row + ${s * rowsApart}u) * ${weightPitch}u + weight_c] = w${s};`)}
staged_k = k * 4u;
staged_row = area.weights + (ty * params.taps_x + tx) * ci + k * 4u;
staged_at = ${isHalo ? `(ty * ${HALO_PITCH}u + tx) * ${pitch}u` : '0u'};
${next}`,
  };
}

/**
 * `steps`, and where they begin. Halo tiles are split between chunks, of which each takes all taps;
 * `steps` then counts chunks.
 */
function rangeOf(isHalo: boolean, isSplit: boolean, vectors: number): string {
  const total = isHalo ? 'chunks' : 'chunks * params.taps_y * params.taps_x';
  if (!isSplit) {
    return `var steps = ${total};
var ty = 0u;
var tx = 0u;
var k = 0u;`;
  }
  const range = `let begin = ${total} * part / params.splits;
var steps = ${total} * (part + 1u) / params.splits - begin;`;
  if (isHalo) return `${range}\nvar ty = 0u;\nvar tx = 0u;\nvar k = begin * ${vectors}u;`;
  return `${range}
let tap = begin / chunks;
var ty = tap / params.taps_x;
var tx = tap - ty * params.taps_x;
var k = (begin - tap * chunks) * ${vectors}u;`;
}
