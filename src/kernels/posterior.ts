/**
 * A sample of a diagonal Gaussian whose parameters a network predicts.
 *
 *   y = (mean + exp(½·clamp(logvar, -30, 20))·noise)·scale
 *
 *   gaussian  [N, h, w, 2L → pad]   f16 or f32: L channels of mean, then L of log-variance
 *   noise     [N, h, w, L → pad]    f16 or f32
 *   y         [N, h, w, L → pad]    f32, padding channels zero
 *
 * Serves the VAE encoder and the noise predictor. One invocation per four channels, memory-bound; the
 * tensors are small, so log-variances are gathered one by one, which allows any L.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  byteLength,
  expectShape,
  f32,
  format,
  type Kernel,
  paramsWgsl,
  roundUp4,
  sizeOf,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { IMAGE_MAIN, imageGrid, imageOf } from './elementwise.ts';
import { enableF16, readWgsl, writeWgsl } from './storage.ts';

export interface PosteriorInputs {
  readonly gaussian: TensorType;
  readonly noise: TensorType;
}

export interface PosteriorConstants {
  /** L, without padding. */
  readonly channels: number;
  readonly scale: number;
}

export function posterior(
  { gaussian, noise }: PosteriorInputs,
  { channels, scale }: PosteriorConstants,
  target: Target,
): Kernel {
  const { n, height, width, groups: gaussianGroups } = imageOf('gaussian', gaussian);
  expectShape('gaussian', gaussian, [n, height, width, roundUp4(2 * channels)]);
  expectShape('noise', noise, [n, height, width, roundUp4(channels)]);

  const y: TensorType = { dtype: 'f32', shape: noise.shape };
  const image = imageOf('y', y);
  const params = {
    height: u32(height),
    width: u32(width),
    groups: u32(image.groups),
    gaussian_groups: u32(gaussianGroups),
    channels: u32(channels),
    scale: f32(scale),
  };
  return {
    name: 'posterior',
    variant: `${format(gaussian)} ${channels} channels`,
    bindings: { gaussian: 1, noise: 2 },
    params,
    output: { binding: 3, type: y },
    workgroups: imageGrid(image),
    cost: {
      flops: 14 * sizeOf(y.shape),
      bytes: byteLength(gaussian) + byteLength(noise) + byteLength(y),
    },
    wgsl: wgsl`
${enableF16(target, gaussian.dtype, noise.dtype)}
${paramsWgsl(params)}
${readWgsl('gaussian', 1, gaussian.dtype, target)}
${readWgsl('noise', 2, noise.dtype, target)}
${writeWgsl('y', 3, 'f32', target)}

fn element(at: Position) {
  let first = ((at.n * params.height + at.y) * params.width + at.x) * params.gaussian_groups;
  let mean = load_gaussian(first + at.group);
  let channel = 4u * at.group + vec4u(0u, 1u, 2u, 3u);
  var logvar = vec4f();
  for (var i = 0u; i < 4u; i++) {
    // Padding channels of y ask for more than there are.
    let c = min(params.channels + channel[i], 4u * params.gaussian_groups - 1u);
    logvar[i] = load_gaussian(first + c / 4u)[c % 4u];
  }
  let deviation = exp(0.5 * clamp(logvar, vec4f(-30.0), vec4f(20.0)));
  let sample = (mean + deviation * load_noise(at.i)) * params.scale;
  store_y(at.i, select(vec4f(0.0), sample, channel < vec4u(params.channels)));
}
${IMAGE_MAIN}
`,
  };
}

export function posteriorReference(
  { gaussian, noise }: { gaussian: Float32Array; noise: Float32Array },
  { channels, scale }: PosteriorConstants,
): Float32Array {
  const stride = roundUp4(channels);
  return noise.map((v, i) => {
    const channel = i % stride;
    if (channel >= channels) return 0;
    const at = Math.floor(i / stride) * roundUp4(2 * channels) + channel;
    const logvar = Math.min(20, Math.max(-30, gaussian[at + channels] ?? 0));
    return ((gaussian[at] ?? 0) + Math.exp(0.5 * logvar) * v) * scale;
  });
}
