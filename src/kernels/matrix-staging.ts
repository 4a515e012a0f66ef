/**
 * What the product on subgroup matrices stages in shared memory, step by step: x as a row of pixels
 * gathered for one tap (flat) or as a block of pixels with its border for all taps (halo); weights as
 * 32 rows, or not at all (direct): rows `co4` vectors apart, or in blocks of one matrix (blocks.ts).
 *
 *   x_tile       [pixels, 32 + 8 channels]        halo: [rows + 2, 18, 32 + 8]
 *   weight_tile  [32 channels, columns + 8]
 *
 * Four channels of x pass through `load_input` on the way, once per staged element.
 */
import { HALO_WIDTH, type MatrixDesign, THREADS } from './matrix-tiles.ts';
import { unroll } from './unroll.ts';

/** Input channels of one step. */
const DEPTH = 32;
/** Vectors of four channels in one step, and from one staged pixel to the next. */
const VECTORS = DEPTH / 4;
const PITCH = VECTORS + 2;
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
  const { columns, isHalo, isDirect, inBlocks, shape, subgroupColumns } = design;
  const x = isHalo ? haloOf(design) : flatOf(design);
  const weightPitch = columns / 4 + 2;
  const weightSlots = (DEPTH * columns) / 4 / THREADS;
  const rowsApart = (THREADS * 4) / columns;
  const eachWeight = (make: (s: number) => string) => (isDirect ? '' : unroll(weightSlots, make));

  // The tap of a step is found in ty and tx, its channels from vector k on.
  const tapsInside = isHalo && isDirect;
  const next = tapsInside
    ? `k += ${VECTORS}u;`
    : isHalo
      ? `tx++;
if (tx == params.taps_x) { tx = 0u; ty++; }
if (ty == params.taps_y) { ty = 0u; k += ${VECTORS}u; }`
      : `k += ${VECTORS}u;
if (k >= params.ci4) {
  k = 0u;
  tx++;
  if (tx == params.taps_x) { tx = 0u; ty++; }
${x.locate}
}`;

  const loadX = (at: string) => (r: number) =>
    `x_tile, ${at} + ${x.matrixAt(r)} + d / 4u, ${PITCH}u`;
  const loadStaged = (g: number) =>
    `weight_tile, d * ${weightPitch}u + right * ${subgroupColumns / 4}u + ${(g * shape.n) / 4}u, ${weightPitch}u`;
  // Rows above and columns before are as many vectors either way; only whole matrices are counted.
  const loadDirect = (row: string) => (g: number) => {
    const column = `min(tile_c + right * ${subgroupColumns / 4}u + ${(g * shape.n) / 4}u, params.co4 - ${shape.n / 4}u)`;
    const first = `weight, (${row} + d) * params.co4`;
    return inBlocks
      ? `${first} + ${column} * ${shape.k}u, ${shape.n / 4}u`
      : `${first} + ${column}, params.co4`;
  };
  const eachDepth = (body: string) =>
    `for (var d = 0u; d < ${DEPTH}u; d += ${shape.k}u) {\n${body}\n}`;

  return {
    declarations: `var<workgroup> x_tile: array<vec4<f16>, ${x.pixels * PITCH}>;
${isDirect ? '' : `var<workgroup> weight_tile: array<vec4<f16>, ${DEPTH * weightPitch}>;`}`,
    setup: `let chunks = (params.ci4 + ${VECTORS - 1}u) / ${VECTORS}u;
${rangeOf(isHalo, isSplit)}
${tapsInside ? '' : isHalo ? 'steps *= params.taps_y * params.taps_x;' : ''}
// Of the step in shared memory.
var staged_k = 0u;
var staged_row = 0u;
var staged_at = 0u;
let kx = thread & ${VECTORS - 1}u;
let q = thread / ${VECTORS}u;
${x.setup}
${x.locate}
${unroll(x.slots, (s) => `var x${s} = vec4<f16>();`, ' ')}
${isDirect ? '' : `let weight_row = thread / ${columns / 4}u;\nlet weight_c = thread - weight_row * ${columns / 4}u;`}
${eachWeight((s) => `var w${s} = vec4<f16>();`)}`,
    fetch: `${isHalo && !isDirect ? 'if (ty == 0u && tx == 0u) {' : '{'}
${unroll(
  x.slots,
  (s) => `x${s} = vec4<f16>();
if (at${s} != OUTSIDE && k + kx < params.ci4) { x${s} = vec4<f16>(load_input(block.image, at${s} + k + kx, k + kx)); }`,
)}
}
${
  isDirect
    ? ''
    : `let row = block.weights + (ty * params.taps_x + tx) * ci + k * 4u + weight_row;
let is_column = tile_c + weight_c < params.co4;`
}
${eachWeight(
  (s) => `w${s} = vec4<f16>();
if (is_column && k * 4u + weight_row + ${s * rowsApart}u < ci) { w${s} = weight[(row + ${s * rowsApart}u) * params.co4 + tile_c + weight_c]; }`,
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
let tap_at = (tap_y * ${HALO_PITCH}u + tap_x) * ${PITCH}u;
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
staged_at = ${isHalo ? `(ty * ${HALO_PITCH}u + tx) * ${PITCH}u` : '0u'};
${next}`,
  };
}

/**
 * `steps`, and where they begin. Halo tiles are split between chunks, of which each takes all taps;
 * `steps` then counts chunks.
 */
function rangeOf(isHalo: boolean, isSplit: boolean): string {
  const total = isHalo ? 'chunks' : 'chunks * params.taps_y * params.taps_x';
  if (!isSplit) {
    return `var steps = ${total};
var ty = 0u;
var tx = 0u;
var k = 0u;`;
  }
  const range = `let begin = ${total} * part / params.splits;
var steps = ${total} * (part + 1u) / params.splits - begin;`;
  if (isHalo) return `${range}\nvar ty = 0u;\nvar tx = 0u;\nvar k = begin * ${VECTORS}u;`;
  return `${range}
let tap = begin / chunks;
var ty = tap / params.taps_x;
var tx = tap - ty * params.taps_x;
var k = (begin - tap * chunks) * ${VECTORS}u;`;
}

/** How x is gathered. Slot s of an invocation is vector kx of the staged pixel q + 16·s. */
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

const PIXELS_APART = THREADS / VECTORS;

function flatOf({ pixels, shape, subgroupPixels }: MatrixDesign): Gather {
  const slots = pixels / PIXELS_APART;
  const each = (make: (s: number) => string) => unroll(slots, make);
  return {
    pixels,
    slots,
    setup: `const OUTSIDE: u32 = 0xffffffffu;
let first = (workgroup.y * grid.x + workgroup.x) * ${pixels}u;
${each(
  (s) => `let py${s} = (first + q + ${PIXELS_APART * s}u) / params.width;
let iy${s} = py${s} * params.stride + block.phase_y - u32(params.top);
let ix${s} = (first + q + ${PIXELS_APART * s}u - py${s} * params.width) * params.stride + block.phase_x - u32(params.left);
var at${s} = OUTSIDE;`,
)}`,
    // Below zero wraps around and fails the comparison too.
    locate: each(
      (s) => `at${s} = OUTSIDE;
if (iy${s} + ty < params.in_height && ix${s} + tx < params.in_width) {
  at${s} = ((block.image * params.in_height + iy${s} + ty) * params.in_width + ix${s} + tx) * params.ci4;
}`,
    ),
    put: each((s) => `x_tile[(q + ${PIXELS_APART * s}u) * ${PITCH}u + kx] = x${s};`),
    matrixAt: (r) => `(down * ${subgroupPixels}u + ${r * shape.m}u) * ${PITCH}u`,
  };
}

function haloOf({ pixels, shape, subgroupPixels }: MatrixDesign): Gather {
  const height = pixels / HALO_WIDTH;
  const staged = (height + 2) * HALO_PITCH;
  const slots = Math.ceil(staged / PIXELS_APART);
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
  let hy = (q + ${PIXELS_APART * s}u) / ${HALO_PITCH}u;
  let hx = q + ${PIXELS_APART * s}u - hy * ${HALO_PITCH}u;
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
      const store = `x_tile[(q + ${PIXELS_APART * s}u) * ${PITCH}u + kx] = x${s};`;
      const isRagged = PIXELS_APART * (s + 1) > staged;
      return isRagged ? `if (q < ${staged - PIXELS_APART * s}u) { ${store} }` : store;
    }),
    matrixAt: (r) => {
      const pixel = r * shape.m;
      const rows = `down * ${subgroupPixels / HALO_WIDTH}u + ${Math.floor(pixel / HALO_WIDTH)}u`;
      return `((${rows}) * ${HALO_PITCH}u + ${pixel % HALO_WIDTH}u) * ${PITCH}u`;
    },
  };
}
