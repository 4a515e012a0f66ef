/**
 * How far two right implementations of an op may be apart: rms of the difference over the standard
 * deviation of the result.
 *
 * A sum of K terms kept in a format with relative step ε rounds at every term by ε/√12 of the sum so
 * far, which grows as √k: in all by ε·√(K/24) of its final size. onnxruntime's WebGPU kernels keep
 * sums of f16 tensors in f16; ours are in f32. Three times that, plus as much for the rounding of
 * inputs to and outputs of inner steps, tells another order of summation from a wrong result, which
 * is of the order of 1.
 */
import { sizeOf } from '../../src/engine/kernel.ts';
import type { OpSubject } from './op-subject.ts';

/** Distance from 1 to the next number. */
const STEP = { f16: 2 ** -10, f32: 2 ** -23 } as const;
/** For exp and erf, whose precision in WGSL is coarser than that of sums. */
const FUNCTIONS_F32 = 1e-5;

export function agreement({ inputs }: OpSubject): number {
  const x = inputs['x'] ?? inputs['q'] ?? inputs['a'];
  const dtype = x?.dtype === 'f16' ? 'f16' : 'f32';
  const roundings = 1 + Math.sqrt(termsOf(inputs) / 24);
  return 3 * STEP[dtype] * roundings + (dtype === 'f32' ? FUNCTIONS_F32 : 0);
}

/** Length of the op's longest sum. */
function termsOf({ weight, k, gamma, x }: OpSubject['inputs']): number {
  if (weight) return sizeOf(weight.shape) / (weight.shape.at(-1) ?? 1);
  if (k) return Math.max(k.shape[1] ?? 1, k.shape[2] ?? 1);
  return gamma && x ? (x.shape.at(-1) ?? 1) : 1;
}
