import { format, type TensorType } from '../../src/engine/kernel.ts';
import {
  upsampleNearest,
  type UpsampleNearestConstants,
  upsampleNearestReference,
} from '../../src/kernels/upsample-nearest.ts';
import type { KernelCase } from './cases.ts';

const upsampleCase = (
  x: TensorType,
  constants: UpsampleNearestConstants,
  tags: KernelCase['tags'],
): KernelCase => ({
  name: `upsampleNearest ${format(x)} to ${constants.height}x${constants.width}`,
  tags,
  inputs: { x },
  kernel: (target) => upsampleNearest({ x }, constants, target),
  reference: (data) =>
    upsampleNearestReference({ x: data['x'] as Float32Array }, x.shape, constants),
  maxNmse: 0, // a copy
});

export const cases: readonly KernelCase[] = [
  upsampleCase({ dtype: 'f32', shape: [1, 1, 1, 4] }, { height: 1, width: 1 }, ['edge']),
  upsampleCase({ dtype: 'f16', shape: [1, 1, 1, 4] }, { height: 3, width: 2 }, ['edge']),
  upsampleCase({ dtype: 'f32', shape: [2, 3, 5, 12] }, { height: 5, width: 9 }, ['edge']),
  upsampleCase({ dtype: 'f16', shape: [2, 7, 6, 8] }, { height: 4, width: 6 }, ['edge']),
  upsampleCase({ dtype: 'f16', shape: [1, 32, 32, 128] }, { height: 64, width: 64 }, ['real']),
];
