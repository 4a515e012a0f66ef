import { format, type TensorType } from '../../src/engine/kernel.ts';
import {
  reflectPad,
  type ReflectPadConstants,
  reflectPadReference,
} from '../../src/kernels/reflect-pad.ts';
import type { KernelCase } from './cases.ts';

const reflectPadCase = (
  x: TensorType,
  [top, left, bottom, right]: readonly [number, number, number, number],
  tags: KernelCase['tags'],
): KernelCase => {
  const constants: ReflectPadConstants = { top, left, bottom, right };
  return {
    name: `reflectPad ${format(x)} ${JSON.stringify(constants)}`,
    tags,
    inputs: { x },
    kernel: (target) => reflectPad({ x }, constants, target),
    reference: (data) => reflectPadReference({ x: data['x'] as Float32Array }, x.shape, constants),
    maxNmse: 0, // a copy
  };
};

export const cases: readonly KernelCase[] = [
  reflectPadCase({ dtype: 'f32', shape: [1, 1, 1, 4] }, [0, 0, 0, 0], ['edge']),
  reflectPadCase({ dtype: 'f16', shape: [1, 2, 3, 4] }, [1, 2, 1, 2], ['edge']),
  reflectPadCase({ dtype: 'f32', shape: [2, 5, 7, 8] }, [4, 0, 0, 6], ['edge']),
  reflectPadCase({ dtype: 'f32', shape: [1, 100, 90, 4] }, [14, 19, 14, 19], ['real']),
];
