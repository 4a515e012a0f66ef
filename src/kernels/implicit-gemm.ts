/**
 * The matrix product behind `linear`, `conv2d`, `upsampleConv2d`, `batchedLinear` and `gemmPartial`.
 *
 *   sum[n, y, x, co] = Σ over taps (ty, tx) and ci of
 *       image[n, y·stride + ty - top, x·stride + tx - left, ci] · weight[ty, tx, ci, co]
 *   out = act(sum + bias + shift) + residual        or, gated, see linear.ts
 *
 * A pixel outside the image counts as zero. A linear layer is one tap over an image of its rows; an
 * upsampling convolution is four such products (phases), each writing every second row and column.
 *
 *   image     [N, H, W, Ci]         f16 or f32: x, or x and x2 side by side, normalized as it is read
 *   weight    [taps…, Ci, Co]       f16 or f32, or in blocks (blocks.ts); phases or images before the taps
 *   out       [N, Ho, Wo, Co]       f16 or f32; Ci and Co multiples of 4
 *
 * 2·N·Ho·Wo·taps·Ci·Co operations. A workgroup makes some pixels × some columns of the output
 * (alu-tiles.ts, matrix-tiles.ts, implicit-gemm-cpu.ts): x is read once for every block of columns,
 * weights once for every tile of pixels. So arithmetic is the bound, but for few channels (x and out: the
 * first and last convolutions of a network) and for few pixels (weights: the UNet at 8 × 8).
 *
 * Extents are parameters, so the ops share a pipeline where storage types and epilogue agree:
 * on CPU adapters compiling one takes longer than most dispatches. Sums are f32.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  byteLength,
  format,
  f32,
  i32,
  type Kernel,
  paramsWgsl,
  ShapeError,
  sizeOf,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { activationWgsl } from './epilogue.ts';
import { type ImplicitGemm, type Program, WEIGHT_BINDING } from './gemm-program.ts';
import { gpuProgram } from './implicit-gemm-gpu.ts';
import { cpuDesigns } from './on-demand.ts';
import { gcd, MOMENTS } from './moments.ts';
import { groupNormedWgsl, groupParams, MOMENTS2_BINDING } from './norm-groups.ts';
import { ROW_NORM } from './row-norm.ts';
import { enableF16, readWgsl, storedWgsl, writePairsWgsl, writeWgsl } from './storage.ts';
import { MOMENTS_BINDING } from './tile-moments.ts';

export function implicitGemm(gemm: ImplicitGemm, target: Target): Kernel {
  const { x, x2, weight, output, activation, channels, taps, norm, rowNorm, groupNormed } = gemm;
  const { gated = false } = gemm;
  const { bias, shift, residual } = gemm.epilogue;
  for (const size of [gemm.input.channels, channels]) {
    if (size === 0 || size % 4 !== 0) {
      throw new ShapeError(
        `x is ${format(x)}, weight ${format(weight)}; channel counts must be multiples of 4`,
      );
    }
  }
  for (const [name, type] of Object.entries({ bias, shift, stats: norm?.stats })) {
    if (type && type.dtype !== 'f32') throw new ShapeError(`${name} is ${format(type)}, not f32`);
  }

  const isCpu =
    target.family === 'cpu' &&
    ![gemm.splits, rowNorm, groupNormed, gemm.momentChannels, gemm.blocks].some(
      (part) => part !== undefined,
    );
  const program = (isCpu ? cpuDesigns.get().cpuProgram : gpuProgram)(gemm, target);
  const moments = momentsOf(gemm, program);
  const params = {
    batch: u32(gemm.batch),
    in_height: u32(gemm.input.height),
    in_width: u32(gemm.input.width),
    height: u32(gemm.pixels.height),
    width: u32(gemm.pixels.width),
    ci4: u32(gemm.input.channels / 4),
    co4: u32(channels / 4),
    taps_y: u32(taps.y),
    taps_x: u32(taps.x),
    stride: u32(gemm.stride),
    top: i32(gemm.padding.top),
    left: i32(gemm.padding.left),
    phases: u32(gemm.phases),
    column_blocks: u32(Math.ceil(channels / program.columns)),
    // Vectors between the shifts of two images; 0 where all images share one.
    shift_stride: u32(shift && shift.shape[0] !== 1 ? channels / 4 : 0),
    ...(x2 && { own4: u32((x.shape.at(-1) ?? 0) / 4) }),
    ...(rowNorm && { row_eps: f32(rowNorm.eps) }),
    ...(gemm.splits !== undefined && { splits: u32(gemm.splits) }),
    ...(groupNormed &&
      groupParams(groupNormed, {
        channels: x.shape.at(-1) ?? 0,
        others: x2?.shape.at(-1) ?? 0,
      })),
    ...moments?.params,
  };
  const used = [
    x,
    x2,
    norm?.stats,
    norm?.beta,
    groupNormed?.moments,
    groupNormed?.moments2,
    groupNormed?.affine,
    rowNorm?.gamma,
    rowNorm?.columns,
    weight,
    bias,
    shift,
    residual,
    output,
    moments?.type,
  ].filter((type) => type !== undefined);
  return {
    name: gemm.name,
    variant: `${format(x)}${x2 ? ` + ${x2.shape.at(-1)}` : ''}${norm ? ` norm ${norm.activation}` : ''}${groupNormed ? ` ${groupNormed.groups} groups ${groupNormed.activation}` : ''}${rowNorm ? ' row norm' : ''} · ${format(weight)} → ${output.dtype}${bias ? ' bias' : ''}${
      shift ? ' shift' : ''
    }${activation === 'none' ? '' : ` ${activation}`}${gated ? ' gated' : ''}${residual ? ' residual' : ''}${moments ? ' + moments' : ''}`,
    bindings: {
      x: 1,
      weight: WEIGHT_BINDING,
      ...(bias && { bias: 3 }),
      ...(shift && { shift: 4 }),
      ...(residual && { residual: 5 }),
      ...(norm && { stats: 7, beta: 8 }),
      ...(groupNormed && { moments: 7, affine: 8 }),
      ...(groupNormed?.moments2 && { moments2: MOMENTS2_BINDING }),
      ...(x2 && { x2: 9 }),
      ...(rowNorm && { gamma: 7, columns: 8 }),
    },
    params,
    output: { binding: 6, type: output },
    ...(moments && { moments: { binding: MOMENTS_BINDING, type: moments.type } }),
    workgroups: program.workgroups,
    ...(program.choice && { choice: program.choice }),
    cost: {
      flops:
        (2 * sizeOf(output.shape) * (gated ? 2 : 1) * taps.y * taps.x * gemm.input.channels) /
        (gemm.splits ?? 1),
      bytes: used.reduce((sum, type) => sum + byteLength(type), 0),
    },
    wgsl: wgsl`
${enableF16(target, x.dtype, weight.dtype, residual?.dtype, output.dtype)}
${program.enables}
${paramsWgsl(params)}
${readWgsl('x', 1, x.dtype, target)}
#if ${bias !== undefined}
${readWgsl('bias', 3, 'f32', target)}
#endif
#if ${shift !== undefined}
${readWgsl('shift', 4, 'f32', target)}
#endif
#if ${residual !== undefined}
${readWgsl('residual', 5, residual?.dtype ?? 'f32', target)}
#endif
${(gated ? writePairsWgsl : writeWgsl)('y', 6, output.dtype, target)}
${moments ? storedWgsl('y', output.dtype, target) : ''}
${activationWgsl(activation)}

#if ${norm !== undefined}
${readWgsl('stats', 7, 'f32', target)}
${readWgsl('beta', 8, 'f32', target)}
${activationWgsl(norm?.activation ?? 'none', 'activate_input')}
#endif

${groupNormed ? groupNormedWgsl(groupNormed, target) : ''}

#if ${rowNorm !== undefined}
${readWgsl('gamma', 7, 'f32', target)}
${readWgsl('columns', 8, 'f32', target)}
${ROW_NORM}
#endif

#if ${x2 !== undefined}
${readWgsl('x2', 9, x2?.dtype ?? 'f32', target)}
#endif

// Four channels of x at vector i of an image, as they lie there; k counts the vectors of a pixel.
fn stored_input(i: u32, k: u32) -> vec4f {
#if ${x2 !== undefined}
  let pixel = (i - k) / params.ci4;
  if (k >= params.own4) { return load_x2(pixel * (params.ci4 - params.own4) + k - params.own4); }
  return load_x(pixel * params.own4 + k);
#else
  return load_x(i);
#endif
}

fn load_input(image: u32, i: u32, k: u32) -> vec4f {
  ${loadInput(gemm)}
}

// What one workgroup computes, from its number along z.
struct Area { image: u32, phase_y: u32, phase_x: u32, column: u32, weights: u32 }

fn area_of(z: u32) -> Area {
  let plane = z / params.column_blocks;
  let column = z - plane * params.column_blocks;
  if (params.phases == 1u) { return Area(plane, 0u, 0u, column, ${gemm.weightsPerImage ? WEIGHTS_PER_IMAGE : '0u'}); }
  let phase = plane & 3u;
  let rows = params.taps_y * params.taps_x * params.ci4 * 4u;
  return Area(plane >> 2u, phase >> 1u, phase & 1u, column, phase * rows);
}

// What the sum of an area's c-th four columns starts from.
fn initial(area: Area, c: u32) -> vec4f {
  var v = vec4f();
#if ${bias !== undefined && !rowNorm}
  v += load_bias(min(c, params.co4 - 1u));
#endif
#if ${shift !== undefined}
  v += load_shift(area.image * params.shift_stride + min(c, params.co4 - 1u));
#endif
  return v;
}

// Stores four columns of the pixel (py, px) of an area's phase${moments ? '; returns them' : ''}.
fn finish(area: Area, py: u32, px: u32, c: u32, total: vec4f)${moments ? ' -> vec4f' : ''} {
  var sum = total;
#if ${bias !== undefined && rowNorm !== undefined}
  sum += load_bias(c);
#endif
  var pixel = (area.image * params.height + py) * params.width + px;
  if (params.phases == 4u) {
    pixel = (area.image * params.height + py) * 2u + area.phase_y;
    pixel = (pixel * params.width + px) * 2u + area.phase_x;
  }
  let out = pixel * params.co4 + c;
#if ${gated}
  store_y(out, sum.xy * activate(sum).zw);
#else
  var v = activate(sum);
#if ${residual !== undefined}
  v += load_residual(out);
#endif
  store_y(out, v);
#if ${moments !== undefined}
  return stored_y(v);
#endif
#endif
}
${program.wgsl}
`,
  };
}

function loadInput({ norm, groupNormed }: ImplicitGemm): string {
  if (groupNormed) return 'return normalized_input(stored_input(i, k), k);';
  if (!norm) return 'return stored_input(i, k);';
  return `let at = image * 2u * params.ci4 + k;
  return activate_input((stored_input(i, k) - load_stats(at)) * load_stats(at + params.ci4) + load_beta(k));`;
}

/** The second output, if the product has one. */
function momentsOf(
  { momentChannels, batch, phases, channels }: ImplicitGemm,
  { momentTiles }: Program,
) {
  if (momentChannels === undefined || !momentTiles) return undefined;
  const width = gcd(gcd(momentChannels, momentTiles.channels), channels);
  const entries = channels / width;
  const chunks = phases * momentTiles.chunks;
  const type: TensorType = { dtype: 'f32', shape: [batch, chunks, MOMENTS, entries] };
  const params = {
    moment_width: u32(width),
    moment_entries: u32(entries),
    moment_chunks: u32(momentTiles.chunks),
  };
  return { type, params };
}

/** The first row of the weights of an image. */
const WEIGHTS_PER_IMAGE = 'plane * params.taps_y * params.taps_x * params.ci4 * 4u';
