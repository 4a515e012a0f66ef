import { format, type TensorType } from '../../src/engine/kernel.ts';
import type { Padding } from '../../src/kernels/conv2d.ts';
import type { Activation } from '../../src/kernels/epilogue.ts';
import { groupNormApplyReference } from '../../src/kernels/group-norm-apply.ts';
import { winogradInput, winogradInputReference } from '../../src/kernels/winograd-input.ts';
import type { KernelCase } from './cases.ts';

const SAME: Padding = { top: 1, left: 1, bottom: 1, right: 1 };

function winogradInputCase(
  x: TensorType,
  padding: Padding = SAME,
  normActivation?: Activation,
): KernelCase {
  const [n = 0, , , channels = 0] = x.shape;
  const norm: Record<'stats' | 'beta', TensorType> | undefined = normActivation && {
    stats: { dtype: 'f32', shape: [n, 2, channels] },
    beta: { dtype: 'f32', shape: [channels] },
  };
  return {
    name: `winogradInput ${format(x)}${normActivation ? ` norm ${normActivation}` : ''}${padding === SAME ? '' : ` ${JSON.stringify(padding)}`}`,
    tags: ['edge'],
    inputs: { x, ...norm },
    kernel: (target) =>
      winogradInput({ x, ...norm }, { padding, ...(normActivation && { normActivation }) }, target),
    reference: (data) =>
      winogradInputReference(
        {
          x: normActivation
            ? groupNormApplyReference(data as Record<'x' | 'stats' | 'beta', Float32Array>, {
                activation: normActivation,
              })
            : (data['x'] as Float32Array),
        },
        x.shape,
        { padding },
      ),
  };
}

const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape });

export const cases: readonly KernelCase[] = [
  winogradInputCase(f32(1, 1, 1, 4)),
  winogradInputCase(f32(2, 5, 8, 20)),
  winogradInputCase({ dtype: 'f16', shape: [1, 13, 17, 36] }),
  winogradInputCase(f32(2, 5, 8, 20), SAME, 'silu'),
  // as of a band: rows of x above are left out, none are missing below
  winogradInputCase(f32(1, 9, 6, 8), { top: -1, left: 1, bottom: 0, right: 1 }),
];
