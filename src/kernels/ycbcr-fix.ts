/**
 * A colour fix: Y of the content with Cb and Cr of the style (the resized input image), through MATLAB's rgb2ycbcr
 * and its inverse as rounded in InvSR, both clamped to [0, 1].
 *
 *   content, style, y [..., 4]: R, G, B and an ignored channel, zero in y; f16 or f32, y like content
 *
 * One invocation per pixel; memory-bound.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  byteLength,
  expectShape,
  format,
  type Kernel,
  paramsWgsl,
  ShapeError,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { FLAT_MAIN, flatGrid, vectorsOf } from './elementwise.ts';
import { enableF16, readWgsl, writeWgsl } from './storage.ts';

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
