/**
 * What the product on subgroup matrices stages in shared memory, step by step: x as a row of pixels
 * gathered for one tap (flat) or as a block of pixels with its border for all taps (halo); weights as
 * rows of as many channels, or not at all (direct): rows `co4` vectors apart, or in
 * blocks of one matrix (blocks.ts).
 *
 *   x_tile       [pixels, depth + pad]        halo: [rows + 2, 18, depth + pad]
 *   weight_tile  [depth, columns + pad]       depth 32, pad 8 in f16; 16 and 4 in f32: as many bytes
 *
 * Four channels of x pass through `load_input` on the way, once per staged element.
 */
import type { SubgroupMatrix } from '../engine/kernel.ts';
import { matrixWgsl } from '../engine/subgroup-matrix.ts';
import { HALO_WIDTH, type MatrixDesign, THREADS } from './matrix-tiles.ts';
import { unroll } from './unroll.ts';

interface Step {
  /** Input channels of one step. */
  readonly depth: number;
  /** The same in vectors of four. */
  readonly vectors: number;
  /** Vectors by which staged rows are longer than their content. */
  readonly pad: number;
  /** Vectors from one staged pixel to the next. */
  readonly pitch: number;
  /** Pixels whose vectors are fetched at a time. */
  readonly apart: number;
}

/** 64 bytes of channels in one step, and 16 bytes between staged rows. */
function stepOf({ component }: SubgroupMatrix): Step {
  const [vectors, pad] = component === 'f16' ? [8, 2] : [4, 1];
  return { depth: 4 * vectors, vectors, pad, pitch: vectors + pad, apart: THREADS / vectors };
}

/** Staged pixels of one row of a halo tile: two more for 3 taps. */
const HALO_PITCH = HALO_WIDTH + 2;

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

/** Arguments of matrix loads, without their ampersands: by group of columns, by row of pixels. */
type Products = (loadWeight: (g: number) => string, loadX: (r: number) => string) => string;

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

  const loadX = (at: string) => (r: number) =>
    `x_tile, ${at} + ${x.matrixAt(r)} + d / 4u, ${pitch}u`;
  const loadStaged = (g: number) =>
    `weight_tile, d * ${weightPitch}u + right * ${subgroupColumns / 4}u + ${(g * n) / 4}u, ${weightPitch}u`;
  // Rows above and columns before are as many vectors either way; only whole matrices are counted.
  const loadDirect = (row: string) => (g: number) => {
    const column = `min(tile_c + right * ${subgroupColumns / 4}u + ${(g * n) / 4}u, params.co4 - ${n / 4}u)`;
    const first = `weight, (${row} + d) * params.co4`;
    return inBlocks
      ? `${first} + ${column} * ${k}u, ${n / 4}u`
      : `${first} + ${column}, params.co4`;
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
if (at${s} != OUTSIDE && k + kx < params.ci4) { x${s} = ${vector}(load_input(block.image, at${s} + k + kx, k + kx)); }`,
)}
}
${
  isDirect
    ? ''
    : `let row = block.weights + (ty * params.taps_x + tx) * ci + k * 4u + weight_row;
let is_column = tile_c + weight_c < params.co4;`
}
${eachWeight(
  (s) => `w${s} = ${vector}();
if (is_column && k * 4u + weight_row + ${s * rowsApart}u < ci) { w${s} = ${loadWeight(`(row + ${s * rowsApart}u) * params.co4 + tile_c + weight_c`)}; }`,
)}`,
    multiply: (products) => {
      if (!isDirect) return eachDepth(products(loadStaged, loadX('staged_at')));
      const inside = (body: string) => `if (staged_k + d < ci) {\n${body}\n}`;
      if (!isHalo) {
        return eachDepth(inside(products(loadDirect('staged_row'), loadX('staged_at'))));
      }
      return `var tap_row = staged_row;
for (var tap_y = 0u; tap_y < params.taps_y; tap_y++) {
for (var tap_x = 0u; tap_x < params.taps_x; tap_x++) {
let tap_at = (tap_y * ${HALO_PITCH}u + tap_x) * ${pitch}u;
${eachDepth(inside(products(loadDirect('tap_row'), loadX('tap_at'))))}
tap_row += ci;
}
}`;
    },
    put: `${isHalo && !isDirect ? 'if (ty == 0u && tx == 0u) {' : '{'}
${x.put}
}
${eachWeight((s) => `weight_tile[(weight_row + ${s * rowsApart}u) * ${weightPitch}u + weight_c] = w${s};`)}
staged_k = k * 4u;
staged_row = block.weights + (ty * params.taps_x + tx) * ci + k * 4u;
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

/** How x is gathered. Slot s of an invocation is vector kx of the staged pixel q + apart·s. */
interface Gather {
  /** Staged. */
  readonly pixels: number;
  readonly slots: number;
  readonly setup: string;
  /** Where the slots' pixels lie in x for the tap (ty, tx): at0, at1, … */
  readonly locate: string;
  readonly put: string;
  /** Where row r of a subgroup's matrices begins in the tile. */
  readonly matrixAt: (r: number) => string;
}

function flatOf({ pixels, matrix, subgroupPixels }: MatrixDesign, { pitch, apart }: Step): Gather {
  const slots = pixels / apart;
  const each = (make: (s: number) => string) => unroll(slots, make);
  return {
    pixels,
    slots,
    setup: `const OUTSIDE: u32 = 0xffffffffu;
let first = (workgroup.y * grid.x + workgroup.x) * ${pixels}u;
${each(
  (s) => `let py${s} = (first + q + ${apart * s}u) / params.width;
let iy${s} = py${s} * params.stride + block.phase_y - u32(params.top);
let ix${s} = (first + q + ${apart * s}u - py${s} * params.width) * params.stride + block.phase_x - u32(params.left);
var at${s} = OUTSIDE;`,
)}`,
    // Below zero wraps around and fails the comparison too.
    locate: each(
      (s) => `at${s} = OUTSIDE;
if (iy${s} + ty < params.in_height && ix${s} + tx < params.in_width) {
  at${s} = ((block.image * params.in_height + iy${s} + ty) * params.in_width + ix${s} + tx) * params.ci4;
}`,
    ),
    put: each((s) => `x_tile[(q + ${apart * s}u) * ${pitch}u + kx] = x${s};`),
    matrixAt: (r) => `(down * ${subgroupPixels}u + ${r * matrix.m}u) * ${pitch}u`,
  };
}

function haloOf({ pixels, matrix, subgroupPixels }: MatrixDesign, { pitch, apart }: Step): Gather {
  const height = pixels / HALO_WIDTH;
  const staged = (height + 2) * HALO_PITCH;
  const slots = Math.ceil(staged / apart);
  const each = (make: (s: number) => string) => unroll(slots, make);
  return {
    pixels: staged,
    slots,
    setup: `const OUTSIDE: u32 = 0xffffffffu;
let first_y = workgroup.y * ${height}u;
let first_x = workgroup.x * ${HALO_WIDTH}u;
${each((s) => `var at${s} = OUTSIDE;`)}`,
    locate: each(
      (s) => `{
  let hy = (q + ${apart * s}u) / ${HALO_PITCH}u;
  let hx = q + ${apart * s}u - hy * ${HALO_PITCH}u;
  // Below zero wraps around and fails the comparison too.
  let iy = first_y + hy + block.phase_y - u32(params.top);
  let ix = first_x + hx + block.phase_x - u32(params.left);
  let is_used = hy < ${height - 1}u + params.taps_y && hx < ${HALO_WIDTH - 1}u + params.taps_x;
  if (is_used && iy < params.in_height && ix < params.in_width) {
    at${s} = ((block.image * params.in_height + iy) * params.in_width + ix) * params.ci4;
  }
}`,
    ),
    put: each((s) => {
      const store = `x_tile[(q + ${apart * s}u) * ${pitch}u + kx] = x${s};`;
      const isRagged = apart * (s + 1) > staged;
      return isRagged ? `if (q < ${staged - apart * s}u) { ${store} }` : store;
    }),
    matrixAt: (r) => {
      const pixel = r * matrix.m;
      const rows = `down * ${subgroupPixels / HALO_WIDTH}u + ${Math.floor(pixel / HALO_WIDTH)}u`;
      return `((${rows}) * ${HALO_PITCH}u + ${pixel % HALO_WIDTH}u) * ${pitch}u`;
    },
  };
}
