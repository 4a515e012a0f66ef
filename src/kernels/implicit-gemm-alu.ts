/**
 * Implicit GEMM for GPUs without matrix units: shared-memory tiles, sums in registers. alu-tiles.ts has
 * the tiles; one step takes `depth` vectors of four input channels of one tap.
 *
 *   fetch step 0 into registers
 *   for every step:  registers → tiles;  fetch the next step;  sums += x tile · weight tile
 *
 * WGSL has no asynchronous copies, so the loads of the next step are issued before the products of
 * this one, which hide their latency. Invocation (i, j) holds pixels j, j + down, … and column groups
 * i, i + across, …; it fetches vector `kx` of pixels q, q + …, where neighbours take neighbouring
 * channels, and rows j, j + down, … of the weights. Where a tap lies in the image is found once per tap.
 *
 * Banks of shared memory: invocations that differ in i read the same x (one broadcast) and adjacent
 * weights; those that differ in j read the same weights and pixels an odd number of vectors apart.
 * So reads have no conflicts for up to 8 neighbours in j; writes of x have some where a row of the
 * tile ends, once for the `4·columns` products that use each.
 *
 * Indices into the tiles are sums and products of invocation ids and loop counters, which lets the
 * compiler prove them in bounds and drop its clamps (test/kernels/clamps.test.ts).
 */
import { type Choice, gridOf, type Target } from '../engine/kernel.ts';
import {
  type AluDesign,
  aluDesign,
  aluDesigns,
  columnsOf,
  gemmKey,
  pixelsOf,
  type Staged,
} from './alu-tiles.ts';
import { type SumsVariant, sumsWgsl } from './alu-sums.ts';
import { choose } from './designs.ts';
import { type ImplicitGemm, type Program, SPLIT_AREA, WEIGHT_BINDING } from './gemm-program.ts';
import { readWgsl } from './storage.ts';
import { rowNormWgsl } from './row-norm.ts';
import { unroll } from './unroll.ts';

export function aluProgram(
  gemm: ImplicitGemm,
  target: Target,
  choice: Choice = choose(gemmKey(gemm), aluDesigns(gemm, target), target),
): Program {
  const design = aluDesign(choice.design, gemm, target);
  if (!design) throw new Error(`${choice.design} is no design of ${choice.key}`);
  const columns = columnsOf(design);
  const pixels = gemm.pixels.height * gemm.pixels.width;
  const chunks = Math.ceil(pixels / pixelsOf(design));
  const [gridX, gridY] = gridOf(chunks);
  return {
    enables: '',
    columns,
    choice,
    momentTiles: { chunks, channels: columns },
    workgroups: [
      gridX,
      gridY,
      gemm.batch * gemm.phases * Math.ceil(gemm.channels / columns) * (gemm.splits ?? 1),
    ],
    wgsl: `
${readWgsl('weight', WEIGHT_BINDING, gemm.weight.dtype, target)}
${programWgsl(design, { isSplit: gemm.splits !== undefined, isNormed: gemm.rowNorm !== undefined, isGrouped: gemm.groupNormed !== undefined, hasMoments: gemm.momentChannels !== undefined })}
`,
  };
}

/**
 * Invocations in three axes, so that both numberings are sums: as (i, j) of the sums, and as vector
 * `kx` of pixel `q` when x is fetched.
 */
function invocations({ across, down, depth }: AluDesign) {
  const [x, y] = [Math.min(across, depth), Math.max(across, depth) / Math.min(across, depth)];
  const z = (across * down) / (x * y);
  const wide = across >= depth;
  return {
    size: `${x}, ${y}, ${z}`,
    i: wide ? `local.x + ${x}u * local.y` : 'local.x',
    j: wide ? 'local.z' : `local.y + ${y}u * local.z`,
    kx: wide ? 'local.x' : `local.x + ${x}u * local.y`,
    q: wide ? `local.y + ${y}u * local.z` : 'local.z',
    /** Pixels fetched at once. */
    pixels: (across * down) / depth,
  };
}

/** What the text depends on beside the design. */
interface Variant extends SumsVariant {
  /** x is group-normalized: norm-groups.ts. */
  readonly isGrouped: boolean;
}

function programWgsl(
  design: AluDesign,
  { isSplit, isNormed, isGrouped, hasMoments }: Variant,
): string {
  const { across, down, rows, vectors, depth, pitch, isChunked } = design;
  const ids = invocations(design);
  const fetches = pixelsOf(design) / ids.pixels;
  /** Vectors in a row of the weight tile. */
  const groups = across * vectors;
  const weightRows = 4 * depth;
  // With fewer rows than invocations in j, the last ones fetch none.
  const isShort = weightRows < down;
  const eachFetch = (make: (s: number) => string) => unroll(fetches, make);
  const eachRow = (make: (r: number) => string) => unroll(rows, make);
  const eachVector = (make: (v: number) => string) => unroll(vectors, make);
  const eachSum = (make: (r: number, v: number) => string) =>
    eachRow((r) => unroll(vectors, (v) => make(r, v), ' '));
  const eachWeight = (make: (s: number, v: number) => string) =>
    unroll(Math.ceil(weightRows / down), (s) => eachVector((v) => make(s, v)));

  const rowNorm = isNormed ? rowNormWgsl({ fetches, stride: ids.pixels, depth }) : undefined;
  const locate = eachFetch((s) => `at${s} = vector_at(area.image, iy${s} + ty, ix${s} + tx);`);
  const fetch = `${eachFetch(
    (s) => `x${s} = ${ZERO[design.x]};
if (at${s} != OUTSIDE && k + kx < params.ci4) {
  ${rowNorm?.load(s) ?? `let value = load_input(area.image, at${s} + k + kx, k + kx);`}
  x${s} = ${PACK[design.x]}(value);
}`,
  )}
${eachWeight(
  (s, v) => `w${s}_${v} = ${ZERO[design.weight]};
if (${isShort ? `j < ${weightRows}u && ` : ''}k * 4u + j + ${down * s}u < params.ci4 * 4u && c + ${across * v}u < params.co4) {
  w${s}_${v} = ${PACK[design.weight]}(load_weight((row + k * 4u + j + ${down * s}u) * params.co4 + c + ${across * v}u));
}`,
)}`;
  // `min` tells the compiler what the condition says.
  const tileRow = isShort ? `min(j, ${weightRows - 1}u)` : 'j';
  const put = `${eachFetch((s) => `x_tile[(q + ${ids.pixels * s}u) * ${pitch}u + kx] = x${s};`)}
${isShort ? `if (j < ${weightRows}u) {` : '{'}
${eachWeight((s, v) => `weight_tile[(${tileRow} + ${down * s}u) * ${groups}u + ${across * v}u + i] = w${s}_${v};`)}
}`;
  const operand = (type: Staged): string => (isChunked ? '' : UNPACK[type]);
  const sum = isChunked ? 'part' : 'sum';
  const multiply = `for (var d = 0u; d < ${depth}u; d++) {
${eachRow((r) => `let a${r} = ${operand(design.x)}(x_tile[(j + ${down * r}u) * ${pitch}u + d]);`)}
${unroll(4, (l) =>
  eachVector(
    (
      v,
    ) => `let b${l}_${v} = ${operand(design.weight)}(weight_tile[(d * 4u + ${l}u) * ${groups}u + ${across * v}u + i]);
${eachRow((r) => `${sum}${r}_${v} += a${r}[${l}] * b${l}_${v};`)}`,
  ),
)}
}`;

  const sums = sumsWgsl(design, { isSplit, isNormed, hasMoments });

  return `
${rowNorm?.shared ?? ''}
${sums.declarations}
${[design.x, design.weight].includes('vec2u') ? PACKING : ''}
var<workgroup> x_tile: array<${design.x}, ${pixelsOf(design) * pitch}>;
var<workgroup> weight_tile: array<${design.weight}, ${weightRows * groups}>;

const OUTSIDE: u32 = 0xffffffffu;

// The first vector of a pixel of x. Coordinates below zero wrap around and are outside too.
fn vector_at(image: u32, iy: u32, ix: u32) -> u32 {
  let at = ((image * params.in_height + iy) * params.in_width + ix) * params.ci4;
  return select(OUTSIDE, at, iy < params.in_height && ix < params.in_width);
}

@compute @workgroup_size(${ids.size})
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let i = ${ids.i};
  let j = ${ids.j};
  let kx = ${ids.kx};
  let q = ${ids.q};
${isSplit ? SPLIT_AREA : '  let area = area_of(workgroup.z);'}
${isGrouped ? `  merge_groups(area.image, thread, ${across * down}u);` : ''}
  let first = (workgroup.y * grid.x + workgroup.x) * ${pixelsOf(design)}u;
  let c = area.column * ${groups}u + i;
${eachFetch(
  (s) => `  let oy${s} = (first + q + ${ids.pixels * s}u) / params.width;
  let ox${s} = first + q + ${ids.pixels * s}u - oy${s} * params.width;
  let iy${s} = oy${s} * params.stride + area.phase_y - u32(params.top);
  let ix${s} = ox${s} * params.stride + area.phase_x - u32(params.left);`,
)}
  // The step: vectors k to k + ${depth} of tap (ty, tx), whose weights begin at a row of their matrix.
  let steps_of_tap = (params.ci4 + ${depth - 1}u) / ${depth}u;
  let steps = params.taps_y * params.taps_x * steps_of_tap;
${isSplit ? splitRange(depth) : WHOLE_RANGE}
${eachVector((v) => `  let initial${v} = initial(area, c + ${across * v}u);`)}
${eachSum((r, v) => `  var sum${r}_${v} = initial${v};`)}
${eachFetch((s) => `  var at${s}: u32;\n  var x${s}: ${design.x};`)}
${eachWeight((s, v) => `  var w${s}_${v}: ${design.weight};`)}
${locate}
${rowNorm?.begin ?? ''}
${fetch}
  for (var step = begin; step < end; step++) {
    workgroupBarrier();
${put}
    workgroupBarrier();
    if (step + 1u < end) {
      k += ${depth}u;
      if (k >= params.ci4) {
        k = 0u;
        row += params.ci4 * 4u;
        tx++;
        if (tx == params.taps_x) { tx = 0u; ty++; }
${locate}
      }
${fetch}
    }
${isChunked ? eachSum((r, v) => `var part${r}_${v} = vec4<f16>();`) : ''}
${multiply}
${isChunked ? eachSum((r, v) => `sum${r}_${v} += vec4f(part${r}_${v});`) : ''}
  }
${rowNorm?.end ?? ''}
${sums.store}
}
`;
}

const ZERO: Readonly<Record<Staged, string>> = {
  vec4f: 'vec4f()',
  'vec4<f16>': 'vec4<f16>()',
  vec2u: 'vec2u()',
};
const PACK = { vec4f: '', 'vec4<f16>': 'vec4<f16>', vec2u: 'pack' } as const;
const UNPACK = { vec4f: '', 'vec4<f16>': 'vec4f', vec2u: 'unpack' } as const;

const PACKING = `
fn pack(v: vec4f) -> vec2u { return vec2u(pack2x16float(v.xy), pack2x16float(v.zw)); }
fn unpack(v: vec2u) -> vec4f { return vec4f(unpack2x16float(v.x), unpack2x16float(v.y)); }`;

const WHOLE_RANGE = `  let begin = 0u;
  let end = steps;
  var ty = 0u;
  var tx = 0u;
  var k = 0u;
  var row = area.weights;`;

/** Parts differ by one step at most. */
const splitRange = (depth: number): string => `  let begin = steps * part / params.splits;
  let end = steps * (part + 1u) / params.splits;
  let tap = begin / steps_of_tap;
  var ty = tap / params.taps_x;
  var tx = tap - ty * params.taps_x;
  var k = (begin - tap * steps_of_tap) * ${depth}u;
  var row = area.weights + tap * params.ci4 * 4u;`;
