/**
 * 8-bit pixels ↔ tensors.
 *
 *   imageToTensor   y = [R, G, B, 0] / 255
 *   tensorToImage   u8 = roundHalfToEven(255·clamp(x, 0, 1)), alpha 255
 *
 *   pixels   [H, W]        u32, rgba8 with R in the lowest byte; alpha is ignored on the way in
 *   tensor   [1, H, W, 4]  f32, the fourth channel zero
 *
 * One invocation per pixel; memory-bound.
 */
import {
  byteLength,
  expectShape,
  format,
  type Kernel,
  paramsWgsl,
  ShapeError,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { FLAT_MAIN, flatGrid, imageOf } from './elementwise.ts';

export interface ImageToTensorInputs {
  readonly pixels: TensorType;
}

export function imageToTensor({ pixels }: ImageToTensorInputs): Kernel {
  const [height = 0, width = 0] = pixels.shape;
  if (pixels.dtype !== 'u32') throw new ShapeError(`pixels is ${format(pixels)}, expected u32`);
  expectShape('pixels', pixels, [height, width]);

  const y: TensorType = { dtype: 'f32', shape: [1, height, width, 4] };
  const params = { vectors: u32(height * width) };
  return {
    name: 'imageToTensor',
    variant: format(pixels),
    bindings: { pixels: 1 },
    params,
    output: { binding: 2, type: y },
    workgroups: flatGrid(height * width),
    cost: { flops: 3 * height * width, bytes: byteLength(pixels) + byteLength(y) },
    wgsl: `${paramsWgsl(params)}
@group(0) @binding(1) var<storage, read> pixels: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;

fn element(i: u32) {
  let bytes = (vec3u(pixels[i]) >> vec3u(0u, 8u, 16u)) & vec3u(255u);
  y[i] = vec4f(vec3f(bytes) / 255.0, 0.0);
}
${FLAT_MAIN}
`,
  };
}

export const imageToTensorReference = ({ pixels }: { pixels: Uint32Array }): Float32Array =>
  Float32Array.from({ length: 4 * pixels.length }, (_, i) =>
    i % 4 === 3 ? 0 : (((pixels[i >>> 2] ?? 0) >>> (8 * (i % 4))) & 255) / 255,
  );

export interface TensorToImageInputs {
  readonly x: TensorType;
}

export function tensorToImage({ x }: TensorToImageInputs): Kernel {
  const { height, width } = imageOf('x', x);
  if (x.dtype !== 'f32') throw new ShapeError(`x is ${format(x)}, expected f32`);
  expectShape('x', x, [1, height, width, 4]);

  const image: TensorType = { dtype: 'u32', shape: [height, width] };
  const params = { vectors: u32(height * width) };
  return {
    name: 'tensorToImage',
    variant: format(x),
    bindings: { x: 1 },
    params,
    output: { binding: 2, type: image },
    workgroups: flatGrid(height * width),
    cost: { flops: 9 * height * width, bytes: byteLength(x) + byteLength(image) },
    // WGSL's round() takes halves to even
    wgsl: `${paramsWgsl(params)}
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> image: array<u32>;

fn element(i: u32) {
  let bytes = vec3u(round(255.0 * clamp(x[i].rgb, vec3f(0.0), vec3f(1.0))));
  image[i] = bytes.r | (bytes.g << 8u) | (bytes.b << 16u) | 0xff000000u;
}
${FLAT_MAIN}
`,
  };
}

export function tensorToImageReference({ x }: { x: Float32Array }): Uint32Array {
  const byte = (i: number) => {
    const v = Math.fround(255 * Math.min(1, Math.max(0, x[i] ?? 0)));
    const below = Math.floor(v);
    return v - below === 0.5 ? below + (below % 2) : Math.round(v);
  };
  return Uint32Array.from(
    { length: x.length / 4 },
    (_, i) => byte(4 * i) + 2 ** 8 * byte(4 * i + 1) + 2 ** 16 * byte(4 * i + 2) + 255 * 2 ** 24,
  );
}
