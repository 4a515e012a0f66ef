/**
 * Group normalisation as PyTorch exports it: the pixels of a group in a row, InstanceNormalization
 * without parameters, then scale and shift of each channel. onnxruntime's WebGPU provider has neither
 * GroupNormalization nor com.microsoft.GroupNorm (as of 1.30).
 */
import type { Shape } from '../../src/engine/kernel.ts';
import type { OnnxGraph } from './op-graph.ts';

export interface GroupNormTensors {
  /** Name of the image. */
  readonly x: string;
  readonly gamma: Float32Array;
  readonly beta: Float32Array;
}

/** `x` is [N, C, H, W]. */
export function groupNormAsExported(
  g: OnnxGraph,
  { x, gamma, beta }: GroupNormTensors,
  { x: shape, groups, eps }: { readonly x: Shape; readonly groups: number; readonly eps: number },
): string {
  const channels = shape[1] ?? 1;
  const ones = g.constant('ones', [groups], new Float32Array(groups).fill(1));
  const zeros = g.constant('zeros', [groups], new Float32Array(groups));
  const rows = g.reshape(x, [shape[0] ?? 1, groups, -1]);
  const normal = g.node('InstanceNormalization', [rows, ones, zeros], { epsilon: { float: eps } });
  const scale = g.constant('gamma', [channels, 1, 1], gamma);
  const shift = g.constant('beta', [channels, 1, 1], beta);
  return g.node('Add', [g.node('Mul', [g.reshape(normal, shape), scale]), shift]);
}
