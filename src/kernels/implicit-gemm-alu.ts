/**
 * Implicit GEMM for GPUs without matrix units: shared-memory tiles, sums in registers.
 *
 * A workgroup of 4×16 invocations computes 16·rows pixels × 16·vectors columns in steps of 16 input
 * channels. Invocation (i, j) holds pixels j, j + 16, … and column groups i, i + 4, …, so that
 * neighbours read neighbouring words of both tiles. Narrow outputs get a taller tile.
 *
 * Indices into the tiles are sums and products of invocation ids and loop counters, which lets the
 * compiler prove them in bounds and drop its clamps.
 */
import { gridOf, type Target } from '../engine/kernel.ts';
import { type ImplicitGemm, type Program, WEIGHT_BINDING } from './gemm-program.ts';
import { readWgsl } from './storage.ts';
import { unroll } from './unroll.ts';

/** Vectors of four channels in one step. */
const DEPTH = 4;
/** Vectors from one pixel to the next in shared memory; odd, so that rows start on other banks. */
const PITCH = DEPTH + 1;

const TILES = [
  { columns: 16, rows: 8 },
  { columns: 32, rows: 8 },
  { columns: 64, rows: 4 },
] as const;

/** The tile that computes the fewest columns in vain; the widest of those. */
function tileFor(channels: number) {
  const computed = (columns: number) => Math.ceil(channels / columns) * columns;
  return TILES.reduce((best, tile) =>
    computed(tile.columns) <= computed(best.columns) ? tile : best,
  );
}

export function aluProgram(gemm: ImplicitGemm, target: Target): Program {
  const { columns, rows } = tileFor(gemm.channels);
  const vectors = columns / 16;
  const pixels = gemm.pixels.height * gemm.pixels.width;
  const columnBlocks = Math.ceil(gemm.channels / columns);
  const [gridX, gridY] = gridOf(Math.ceil(pixels / (16 * rows)));
  return {
    enables: '',
    columns,
    workgroups: [gridX, gridY, gemm.batch * gemm.phases * columnBlocks],
    wgsl: `
${readWgsl('weight', WEIGHT_BINDING, gemm.weight.dtype, target)}

var<workgroup> x_tile: array<vec4f, ${16 * rows * PITCH}>;
var<workgroup> weight_tile: array<vec4f, ${DEPTH * 4 * vectors * 4}>;

@compute @workgroup_size(4, 16)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let block = block_of(workgroup.z);
  let first = (workgroup.y * grid.x + workgroup.x) * ${16 * rows}u + local.y;
  let c = block.column * ${vectors * 4}u + local.x;
${unroll(vectors, (v) => `  let initial${v} = initial(block, c + ${4 * v}u);`)}
${unroll(
  rows,
  (r) => `  let py${r} = (first + ${16 * r}u) / params.width;
  let px${r} = first + ${16 * r}u - py${r} * params.width;
  ${unroll(vectors, (v) => `var sum${r}_${v} = initial${v};`, ' ')}`,
)}
  var row = block.weights; // of the weight matrix
  for (var ty = 0u; ty < params.taps_y; ty++) {
    for (var tx = 0u; tx < params.taps_x; tx++) {
      // Below zero wraps around and fails the comparison too.
${unroll(
  rows,
  (r) => `      let iy${r} = py${r} * params.stride + ty + block.phase_y - u32(params.top);
      let ix${r} = px${r} * params.stride + tx + block.phase_x - u32(params.left);
      let inside${r} = iy${r} < params.in_height && ix${r} < params.in_width;
      let at${r} = ((block.image * params.in_height + iy${r}) * params.in_width + ix${r}) * params.ci4;`,
)}
      for (var k = 0u; k < params.ci4; k += ${DEPTH}u) {
        workgroupBarrier();
${unroll(
  rows,
  (r) => `        var x${r} = vec4f();
        if (inside${r} && k + local.x < params.ci4) { x${r} = load_input(block.image, at${r} + k + local.x, k + local.x); }
        x_tile[(local.y + ${16 * r}u) * ${PITCH}u + local.x] = x${r};`,
)}
${unroll(
  vectors,
  (v) => `        var w${v} = vec4f();
        if (k * 4u + local.y < params.ci4 * 4u && c + ${4 * v}u < params.co4) {
          w${v} = load_weight((row + k * 4u + local.y) * params.co4 + c + ${4 * v}u);
        }
        weight_tile[local.y * ${vectors * 4}u + ${4 * v}u + local.x] = w${v};`,
)}
        workgroupBarrier();
        for (var d = 0u; d < ${DEPTH}u; d++) {
${unroll(rows, (r) => `          let a${r} = x_tile[(local.y + ${16 * r}u) * ${PITCH}u + d];`)}
${unroll(4, (j) =>
  unroll(
    vectors,
    (
      v,
    ) => `          let b${j}_${v} = weight_tile[(d * 4u + ${j}u) * ${vectors * 4}u + ${4 * v}u + local.x];
${unroll(rows, (r) => `          sum${r}_${v} += a${r}[${j}] * b${j}_${v};`)}`,
  ),
)}
        }
      }
      row += params.ci4 * 4u;
    }
  }
${unroll(
  rows,
  (r) => `  if (py${r} < params.height) {
${unroll(
  vectors,
  (v) =>
    `    if (c + ${4 * v}u < params.co4) { finish(block, py${r}, px${r}, c + ${4 * v}u, sum${r}_${v}); }`,
)}
  }`,
)}
}
`,
  };
}
