/**
 * The two ways to give the result the colours of the (resized) input image.
 *
 *   waveletLow   y[i, j] = Σ k[u]·k[v]·x[i + (u-1)·dilation, j + (v-1)·dilation], k = [1 2 1]/4,
 *                indices clamped to the border. Five passes with dilations 1, 2, 4, 8, 16 make the
 *                low band; the fix is content - low(content) + low(style), by `affine`.
 *   ycbcrFix     Y of the content with Cb and Cr of the style, through MATLAB's rgb2ycbcr and its
 *                inverse as rounded in InvSR, both clamped to [0, 1]
 *
 *   waveletLow   x, y [N, H, W, C], f16 or f32, C a multiple of 4
 *   ycbcrFix     content, style, y [..., 4]: R, G, B and an ignored channel, zero in y;
 *                f16 or f32, y like content
 *
 * One invocation per four channels; memory-bound.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  byteLength,
  expectShape,
  format,
  i32,
  type Kernel,
  paramsWgsl,
  type Shape,
  ShapeError,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { FLAT_MAIN, flatGrid, IMAGE_MAIN, imageGrid, imageOf, vectorsOf } from './elementwise.ts';
import { enableF16, readWgsl, writeWgsl } from './storage.ts';

export interface WaveletLowInputs {
  readonly x: TensorType;
}

export interface WaveletLowConstants {
  readonly dilation: number;
}

export function waveletLow(
  { x }: WaveletLowInputs,
  { dilation }: WaveletLowConstants,
  target: Target,
): Kernel {
  const image = imageOf('x', x);
  const params = {
    height: u32(image.height),
    width: u32(image.width),
    groups: u32(image.groups),
    dilation: i32(dilation),
  };
  return {
    name: 'waveletLow',
    variant: `${format(x)} dilation ${dilation}`,
    bindings: { x: 1 },
    params,
    output: { binding: 2, type: x },
    workgroups: imageGrid(image),
    cost: {
      flops: 24 * image.n * image.height * image.width * image.channels,
      bytes: 2 * byteLength(x),
    },
    wgsl: wgsl`
${enableF16(target, x.dtype)}
${paramsWgsl(params)}
${readWgsl('x', 1, x.dtype, target)}
${writeWgsl('y', 2, x.dtype, target)}

/** An index and its neighbours, clamped to the border. */
fn taps(i: u32, length: u32) -> vec3u {
  let reached = i32(i) + params.dilation * vec3i(-1, 0, 1);
  return vec3u(clamp(reached, vec3i(0), vec3i(i32(length) - 1)));
}

fn row(start: u32, columns: vec3u) -> vec4f {
  return 0.25 * (load_x(start + columns.x) + load_x(start + columns.z))
    + 0.5 * load_x(start + columns.y);
}

fn element(at: Position) {
  let stride = params.width * params.groups;
  let rows = (at.n * params.height + taps(at.y, params.height)) * stride;
  let columns = taps(at.x, params.width) * params.groups + at.group;
  store_y(at.i, 0.25 * (row(rows.x, columns) + row(rows.z, columns)) + 0.5 * row(rows.y, columns));
}
${IMAGE_MAIN}
`,
  };
}

const clamped = (i: number, length: number): number => Math.min(length - 1, Math.max(0, i));

export function waveletLowReference(
  { x }: { x: Float32Array },
  [, h = 0, w = 0, c = 0]: Shape,
  { dilation }: WaveletLowConstants,
): Float32Array {
  const weights = [0.25, 0.5, 0.25] as const;
  return x.map((_, at) => {
    const channel = at % c;
    const j = Math.floor(at / c) % w;
    const i = Math.floor(at / c / w) % h;
    const image = Math.floor(at / c / w / h);
    let sum = 0;
    for (const [u, wu] of weights.entries()) {
      for (const [v, wv] of weights.entries()) {
        const row = image * h + clamped(i + (u - 1) * dilation, h);
        const column = clamped(j + (v - 1) * dilation, w);
        sum += wu * wv * (x[(row * w + column) * c + channel] ?? 0);
      }
    }
    return sum;
  });
}

export interface YcbcrFixInputs {
  readonly content: TensorType;
  readonly style: TensorType;
}

type Row = readonly [number, number, number];
interface ColorTransform {
  readonly matrix: readonly [Row, Row, Row];
  readonly offset: Row;
}

/** MATLAB's rgb2ycbcr on a 0..255 scale; rows give Y, Cb, Cr. */
const TO_YCBCR: ColorTransform = {
  matrix: [
    [65.481 / 255, 128.553 / 255, 24.966 / 255],
    [-37.797 / 255, -74.203 / 255, 112 / 255],
    [112 / 255, -93.786 / 255, -18.214 / 255],
  ],
  offset: [16, 128, 128],
};

/** Its inverse with the rounding of InvSR's ycbcr2rgbTorch; rows give R, G, B. */
const TO_RGB: ColorTransform = {
  matrix: [
    [0.00456621 * 255, 0, 0.00625893 * 255],
    [0.00456621 * 255, -0.00153632 * 255, -0.00318811 * 255],
    [0.00456621 * 255, 0.00791071 * 255, 0],
  ],
  offset: [-222.921, 135.576, -276.836],
};

/** `fn <name>(v: vec3f) -> vec3f`, on a 0..1 scale and clamped to it. */
function transformWgsl(name: string, { matrix, offset }: ColorTransform): string {
  const rows = matrix.map(
    (row, i) => `dot(vec3f(${row.join(', ')}), v) + f32(${offset[i]} / 255.0)`,
  );
  return `fn ${name}(v: vec3f) -> vec3f {
  return clamp(vec3f(
    ${rows.join(',\n    ')},
  ), vec3f(0.0), vec3f(1.0));
}`;
}

export function ycbcrFix({ content, style }: YcbcrFixInputs, _: object, target: Target): Kernel {
  if (content.shape.at(-1) !== 4) {
    throw new ShapeError(`content is ${format(content)}, expected R, G, B and one spare channel`);
  }
  expectShape('style', style, content.shape);

  const vectors = vectorsOf('content', content);
  const params = { vectors: u32(vectors) };
  return {
    name: 'ycbcrFix',
    variant: format(content),
    bindings: { content: 1, style: 2 },
    params,
    output: { binding: 3, type: content },
    workgroups: flatGrid(vectors),
    cost: { flops: 54 * vectors, bytes: 2 * byteLength(content) + byteLength(style) },
    wgsl: wgsl`
${enableF16(target, content.dtype, style.dtype)}
${paramsWgsl(params)}
${readWgsl('content', 1, content.dtype, target)}
${readWgsl('style', 2, style.dtype, target)}
${writeWgsl('y', 3, content.dtype, target)}
${transformWgsl('to_ycbcr', TO_YCBCR)}
${transformWgsl('to_rgb', TO_RGB)}

fn element(i: u32) {
  let luma = to_ycbcr(load_content(i).rgb).x;
  let chroma = to_ycbcr(load_style(i).rgb).yz;
  store_y(i, vec4f(to_rgb(vec3f(luma, chroma)), 0.0));
}
${FLAT_MAIN}
`,
  };
}

function transform(
  { matrix, offset }: ColorTransform,
  [a = 0, b = 0, c = 0]: readonly number[],
): number[] {
  return matrix.map(([p, q, r], i) => {
    const v = (255 * (p * a + q * b + r * c) + (offset[i] ?? 0)) / 255;
    return Math.min(1, Math.max(0, v));
  });
}

export function ycbcrFixReference({
  content,
  style,
}: {
  content: Float32Array;
  style: Float32Array;
}): Float32Array {
  const y = new Float32Array(content.length);
  for (let i = 0; i < y.length; i += 4) {
    const [luma = 0] = transform(TO_YCBCR, [...content.subarray(i, i + 3)]);
    const [, cb = 0, cr = 0] = transform(TO_YCBCR, [...style.subarray(i, i + 3)]);
    y.set(transform(TO_RGB, [luma, cb, cr]), i);
  }
  return y;
}
