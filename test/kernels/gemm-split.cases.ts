import { type Blocks, format, sizeOf, type TensorType } from '../../src/engine/kernel.ts';
import { conv2dReference } from '../../src/kernels/conv2d.ts';
import type { Activation } from '../../src/kernels/epilogue.ts';
import { gemmPartial, gemmReduce, gemmReduceReference } from '../../src/kernels/gemm-split.ts';
import { normal } from '../harness/random.ts';
import { plainValues, storedType } from './in-blocks.ts';
import { type KernelCase, sumNmse } from './cases.ts';

const PADDING = { top: 1, left: 1, bottom: 1, right: 1 };

/**
 * Sizes whose steps divide into the parts, so that every part has as many rows of the weights. Parts
 * are runs of taps, or, where a step takes all taps, of channels.
 */
export function partialCase(
  x: TensorType,
  channels: number,
  splits: number,
  by: 'taps' | 'channels' = 'taps',
  blocks?: Blocks,
): KernelCase {
  const ci = x.shape[3]!;
  const plain: TensorType = { dtype: 'f16', shape: [3, 3, ci, channels] };
  const weight = storedType(plain, blocks);
  const constants = { padding: PADDING };
  const inner = 9 * ci;
  return {
    name: `gemmPartial ${format(x)} · ${format(weight)} in ${splits}`,
    tags: ['edge'],
    families: ['alu'],
    inputs: { x, weight },
    data: (name, { shape }, seed) =>
      normal(sizeOf(shape), seed, name === 'weight' ? { std: 1 / Math.sqrt(inner) } : {}),
    kernel: (target) =>
      gemmPartial({ x, weight }, { product: { op: 'conv2d', constants }, splits }, target),
    reference: (data) => {
      const w = plainValues(data['weight'], channels, blocks);
      const partials = Array.from({ length: splits }, (_, s) => {
        const partOf = (row: number): number =>
          by === 'taps' ? row / (inner / splits) : (row % ci) / (ci / splits);
        const part = w.map((v, i) => (Math.floor(partOf(Math.floor(i / channels))) === s ? v : 0));
        const shapes = { x: x.shape, weight: plain.shape };
        return conv2dReference({ x: data['x'] as Float32Array, weight: part }, shapes, constants);
      });
      return Float32Array.from(partials.flatMap((part) => [...part]));
    },
    maxNmse: sumNmse(inner / splits),
  };
}

interface ReduceOptions {
  readonly shift?: number;
  readonly residual?: 'f16' | 'f32';
  readonly activation?: Activation;
  /** Channels per entry of y's moments. */
  readonly momentChannels?: number;
}

function reduceCase(
  shape: readonly number[],
  dtype: 'f16' | 'f32',
  { shift, residual, activation = 'none', momentChannels }: ReduceOptions = {},
): KernelCase {
  const channels = shape.at(-1)!;
  const inputs = {
    partial: { dtype: 'f32', shape },
    bias: { dtype: 'f32', shape: [channels] },
    ...(shift && { shift: { dtype: 'f32', shape: [shift, channels] } }),
    ...(residual && { residual: { dtype: residual, shape: shape.slice(1) } }),
  } as const satisfies Record<string, TensorType>;
  return {
    name: `gemmReduce [${shape.join(',')}] → ${dtype} ${activation}${shift ? ` shift ${shift}` : ''}${residual ? ` + ${residual}` : ''}${momentChannels ? ` + moments of ${momentChannels}` : ''}`,
    tags: ['edge'],
    inputs,
    kernel: (target) =>
      gemmReduce(inputs, { activation, dtype, ...(momentChannels && { momentChannels }) }, target),
    reference: ({ partial, bias, shift: shifts, residual: residuals }) =>
      gemmReduceReference(
        {
          partial: partial as Float32Array,
          bias: bias as Float32Array,
          shift: shifts as Float32Array | undefined,
          residual: residuals as Float32Array | undefined,
        },
        shape,
        { activation },
      ),
  };
}

export const cases: readonly KernelCase[] = [
  partialCase({ dtype: 'f32', shape: [2, 5, 7, 64] }, 36, 3),
  partialCase({ dtype: 'f16', shape: [1, 8, 8, 32] }, 68, 9),
  reduceCase([2, 1, 4], 'f32'),
  reduceCase([4, 2, 5, 7, 20], 'f32', { shift: 2, residual: 'f32', activation: 'silu' }),
  reduceCase([16, 1, 8, 8, 36], 'f16', { shift: 1, residual: 'f16' }),
  reduceCase([3, 2, 5, 7, 20], 'f32', { residual: 'f32', momentChannels: 10 }),
  reduceCase([2, 1, 8, 8, 160], 'f16', { shift: 1, momentChannels: 40 }),
];
