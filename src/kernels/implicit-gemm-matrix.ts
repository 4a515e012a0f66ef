/**
 * Implicit GEMM on subgroup matrices: f16 or f32 operands, f32 sums. matrix-tiles.ts has the tiles,
 * matrix-staging.ts what is staged in shared memory. One step takes 32 input channels (16 in f32) of
 * one tap, or of all taps where they share a halo tile and the weights come from global memory.
 *
 *   for every step:  fetch it into registers;  sums += products of the step before;  registers → tiles
 *
 * WGSL has no asynchronous copies, so the loads of the next step are issued before the products of
 * this one, which hide their latency. Every subgroup holds its share of the tile in matrices of sums;
 * a fragment of x is used for all its columns, fragments of weights for all its pixels.
 *
 * Rows of the tiles are 16 bytes longer than a power of two, so that the eight rows a matrix load
 * takes at once start on different banks: in f16, 20 and 68 (or 36) words from one to the next.
 *
 * No element of a matrix can be reached, so sums go through shared memory, a row of matrices and 32
 * columns at a time, to `initial` and `finish`: bias, activation and residual in f32.
 *
 * Ragged edges: outside of the image and beyond the last channel the tiles hold zeros; sums beyond the
 * last pixel or column are not stored. `direct` loads of columns beyond the last repeat the last ones.
 */
import { type Choice, gridOf, type Target } from '../engine/kernel.ts';
import { matrixWgsl } from '../engine/subgroup-matrix.ts';
import { type ImplicitGemm, type Program, SPLIT_AREA, WEIGHT_BINDING } from './gemm-program.ts';
import { type Products, stagingOf } from './matrix-staging.ts';
import { HALO_WIDTH, type MatrixDesign, THREADS } from './matrix-tiles.ts';
import { readWgsl } from './storage.ts';
import { mergeMoments, momentVectors, tileMomentsWgsl } from './tile-moments.ts';
import { unroll } from './unroll.ts';

/** Columns that go through shared memory together. */
const STRIP = 32;
/** The same in vectors of four columns: an invocation keeps to one of them. */
const VECTORS = STRIP / 4;
/** Vectors from one row of sums to the next in shared memory; odd, as above. */
const STRIP_PITCH = VECTORS + 1;
/** Rows that are finished at a time. */
const ROWS_APART = THREADS / VECTORS;

/** `design` is of `choice` and `target`: matrixDesign made it. */
export function matrixProgram(
  gemm: ImplicitGemm,
  {
    design,
    choice,
    target,
  }: { readonly design: MatrixDesign; readonly choice: Choice; readonly target: Target },
): Program {
  const { pixels, columns, isHalo } = design;
  const columnBlocks = Math.ceil(gemm.channels / columns);
  const { height, width } = gemm.pixels;
  const [gridX, gridY] = isHalo
    ? [Math.ceil(width / HALO_WIDTH), Math.ceil(height / (pixels / HALO_WIDTH))]
    : gridOf(Math.ceil((height * width) / pixels));
  return {
    enables: matrixWgsl(design).enables,
    columns,
    choice,
    momentTiles: {
      chunks: isHalo ? gridX * gridY : Math.ceil((height * width) / pixels),
      channels: STRIP,
    },
    workgroups: [gridX, gridY, gemm.batch * gemm.phases * columnBlocks * (gemm.splits ?? 1)],
    wgsl: `
${readWgsl('weight', WEIGHT_BINDING, gemm.weight.dtype, target)}
${programWgsl(design, {
  isSplit: gemm.splits !== undefined,
  isGrouped: gemm.groupNormed !== undefined,
  hasMoments: gemm.momentChannels !== undefined,
})}`,
  };
}

/** What the text depends on beside the design. */
interface Variant {
  readonly isSplit: boolean;
  /** x is group-normalized: norm-groups.ts. */
  readonly isGrouped: boolean;
  readonly hasMoments: boolean;
}

function programWgsl(design: MatrixDesign, { isSplit, isGrouped, hasMoments }: Variant): string {
  const { columns, subgroups, across, isHalo } = design;
  const { m, n, pin, result } = matrixWgsl(design);
  const rows = design.subgroupPixels / m;
  const groups = design.subgroupColumns / n;
  const staging = stagingOf(design, isSplit);
  const eachSum = (make: (r: number, g: number) => string) =>
    unroll(rows, (r) => unroll(groups, (g) => make(r, g), ' '));
  const strips = Array.from({ length: design.subgroupColumns / STRIP }, (_, i) => i);
  const stripGroups = STRIP / n;
  /** Of matrices, one above the other. */
  const stripRows = (subgroups / across) * m;
  const sums = subgroups * m * STRIP_PITCH;
  const rights = Array.from({ length: across }, (_, right) => right);
  // The sums' way to the epilogue is free when a strip is done.
  const columnVectors = across * VECTORS;
  const tile = {
    columns: columnVectors,
    parts: ROWS_APART,
    slots: Math.min(
      ROWS_APART / 2,
      Math.floor(sums / momentVectors({ columns: columnVectors, slots: 1 })),
    ),
    threads: THREADS,
    scratch: 'sum_tile',
  };
  const own = rights.map((right) => ({
    mean: `mean${right}`,
    m2: `m2_${right}`,
    column: `(${right * VECTORS}u + v)`,
  }));

  return `
${staging.declarations}
var<workgroup> sum_tile: array<vec4f, ${sums}>;
${hasMoments ? tileMomentsWgsl(tile) : ''}

@compute @workgroup_size(${THREADS}) ${pin}
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
  @builtin(subgroup_id) subgroup: u32,
) {
${isSplit ? SPLIT_AREA : '  let area = area_of(workgroup.z);'}
${isGrouped ? `  merge_groups(area.image, thread, ${THREADS}u);` : ''}
  let tile_c = area.column * ${columns / 4}u; // in vectors, as all of c
  let ci = params.ci4 * 4u;
  let down = subgroup / ${across}u;
  let right = subgroup - down * ${across}u;
${staging.setup}
${eachSum((r, g) => `var sum${r}_${g} = ${result}();`)}
  for (var step = 0u; step <= steps; step++) {
    if (step < steps) {
${staging.fetch}
    }
    if (step > 0u) {
${staging.multiply(products(design))}
    }
    workgroupBarrier();
    if (step < steps) {
${staging.put}
    }
    workgroupBarrier();
  }

  let v = thread & ${VECTORS - 1}u;
${strips.map((strip) => `{\n${storeStrip(strip)}\n}`).join('\n')}
}
`;

  /** 32 columns of every subgroup, row by row of its matrices. */
  function storeStrip(strip: number): string {
    const stored = unroll(rows, (r) => storeRow(r, strip));
    if (!hasMoments) return stored;
    return `var count = 0f;
${own.map(({ mean, m2 }) => `var ${mean} = vec4f();\nvar ${m2} = vec4f();`).join('\n')}
${stored}
  let part = thread / ${VECTORS}u;
${mergeMoments(tile, 'part', own)}
  let chunk = (area.phase_y * 2u + area.phase_x) * params.moment_chunks + ${isHalo ? 'workgroup.y * grid.x + workgroup.x' : `first / ${design.pixels}u`};
  if (${isHalo ? 'true' : 'first < params.height * params.width'}) {
${rights
  .map(
    (right) =>
      `    store_moments(area.image * params.moment_chunks * params.phases + chunk, ${right * STRIP}u, tile_c * 4u + ${right * design.subgroupColumns + strip * STRIP}u, ${STRIP}u, thread);`,
  )
  .join('\n')}
  }
  workgroupBarrier();`;
  }

  /** Row r of a subgroup's matrices, 32 columns: to shared memory, and from there four by four. */
  function storeRow(r: number, strip: number): string {
    const finish = (right: number): string => {
      const sum = `sum_tile[(down_part * ${across * m}u + ${right * m}u + row) * ${STRIP_PITCH}u + v] + initial(area, c)`;
      const call = `finish(${isSplit ? 'out' : 'area'}, py, px, c, ${sum})`;
      return `{
  let c = tile_c + ${(right * design.subgroupColumns + strip * STRIP) / 4}u + v;
  if (c < params.co4) {
    ${hasMoments ? `let value = ${call};\n    let d = value - mean${right};\n    mean${right} += d / count;\n    m2_${right} += d * (value - mean${right});` : `${call};`}
  }
}`;
    };
    return `${unroll(
      stripGroups,
      (g) =>
        `  subgroupMatrixStore<row_major>(&sum_tile, subgroup * ${m * STRIP_PITCH}u + ${(g * n) / 4}u, sum${r}_${strip * stripGroups + g}, ${STRIP_PITCH}u);`,
    )}
  workgroupBarrier();
  for (var i = thread / ${VECTORS}u; i < ${stripRows}u; i += ${ROWS_APART}u) {
    let down_part = i / ${m}u;
    let row = i - down_part * ${m}u;
    let pixel = down_part * ${design.subgroupPixels}u + ${r * m}u + row;
${
  isHalo
    ? `    let py = first_y + pixel / ${HALO_WIDTH}u;
    let px = first_x + pixel % ${HALO_WIDTH}u;`
    : `    let py = (first + pixel) / params.width;
    let px = first + pixel - py * params.width;`
}
    if (py < params.height && px < params.width) {
${hasMoments ? '      count += 1f;\n' : ''}${rights.map(finish).join('\n')}
    }
  }
  workgroupBarrier();`;
  }
}

/** The products of one depth: fragments of weights, then row by row of x. */
function products(design: MatrixDesign): Products {
  const matrix = matrixWgsl(design);
  const groups = design.subgroupColumns / matrix.n;
  const rows = design.subgroupPixels / matrix.m;
  return (
    weightAt,
    xAt,
  ) => `${unroll(groups, (g) => `let b${g} = ${matrix.right('row', ...weightAt(g))};`)}
${unroll(
  rows,
  (r) => `let a${r} = ${matrix.left(...xAt(r))};
${unroll(groups, (g) => `sum${r}_${g} = subgroupMatrixMultiplyAccumulate(a${r}, b${g}, sum${r}_${g});`)}`,
)}`;
}
