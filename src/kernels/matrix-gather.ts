/**
 * How the product on subgroup matrices gathers x in shared memory: as a row of pixels for one tap (flat),
 * or as a block of pixels with its border for all taps (halo).
 */
import type { SubgroupMatrix } from '../engine/kernel.ts';
import { HALO_WIDTH, type MatrixDesign, THREADS } from './matrix-tiles.ts';
import { unroll } from './unroll.ts';

/** One step through the input channels. */
export interface Step {
  /** Channels. */
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
export function stepOf({ component }: SubgroupMatrix): Step {
  const [vectors, pad] = component === 'f16' ? [8, 2] : [4, 1];
  return { depth: 4 * vectors, vectors, pad, pitch: vectors + pad, apart: THREADS / vectors };
}

/** Staged pixels of one row of a halo tile: two more for 3 taps. */
export const HALO_PITCH = HALO_WIDTH + 2;

/** Statements of `main`. Slot s of an invocation is vector kx of the staged pixel q + apart·s. */
export interface Gather {
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

export function flatOf(
  { pixels, matrix, subgroupPixels }: MatrixDesign,
  { pitch, apart }: Step,
): Gather {
  const slots = pixels / apart;
  const each = (make: (s: number) => string) => unroll(slots, make);
  return {
    pixels,
    slots,
    setup: `const OUTSIDE: u32 = 0xffffffffu;
let first = (workgroup.y * grid.x + workgroup.x) * ${pixels}u;
${each(
  (s) => `let py${s} = (first + q + ${apart * s}u) / params.width;
let iy${s} = py${s} * params.stride + area.phase_y - u32(params.top);
let ix${s} = (first + q + ${apart * s}u - py${s} * params.width) * params.stride + area.phase_x - u32(params.left);
var at${s} = OUTSIDE;`,
)}`,
    // Below zero wraps around and fails the comparison too.
    locate: each(
      (s) => `at${s} = OUTSIDE;
if (iy${s} + ty < params.in_height && ix${s} + tx < params.in_width) {
  at${s} = ((area.image * params.in_height + iy${s} + ty) * params.in_width + ix${s} + tx) * params.ci4;
}`,
    ),
    put: each((s) => `x_tile[(q + ${apart * s}u) * ${pitch}u + kx] = x${s};`),
    matrixAt: (r) => `(down * ${subgroupPixels}u + ${r * matrix.m}u) * ${pitch}u`,
  };
}

export function haloOf(
  { pixels, matrix, subgroupPixels }: MatrixDesign,
  { pitch, apart }: Step,
): Gather {
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
  let iy = first_y + hy + area.phase_y - u32(params.top);
  let ix = first_x + hx + area.phase_x - u32(params.left);
  let is_used = hy < ${height - 1}u + params.taps_y && hx < ${HALO_WIDTH - 1}u + params.taps_x;
  if (is_used && iy < params.in_height && ix < params.in_width) {
    at${s} = ((area.image * params.in_height + iy) * params.in_width + ix) * params.ci4;
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
