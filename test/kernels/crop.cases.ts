import { format, type TensorType } from '../../src/engine/kernel.ts';
import { crop, type CropConstants, cropReference } from '../../src/kernels/crop.ts';
import type { KernelCase } from './cases.ts';

const cropCase = (
  x: TensorType,
  [top, left, height, width]: readonly [number, number, number, number],
  tags: KernelCase['tags'],
): KernelCase => {
  const constants: CropConstants = { top, left, height, width };
  return {
    name: `crop ${format(x)} ${JSON.stringify(constants)}`,
    tags,
    inputs: { x },
    kernel: (target) => crop({ x }, constants, target),
    reference: (data) => cropReference({ x: data['x'] as Float32Array }, x.shape, constants),
    maxNmse: 0, // a copy
  };
};

export const cases: readonly KernelCase[] = [
  cropCase({ dtype: 'f32', shape: [1, 1, 1, 4] }, [0, 0, 1, 1], ['edge']),
  cropCase({ dtype: 'f16', shape: [2, 5, 7, 8] }, [4, 1, 1, 6], ['edge']),
  cropCase({ dtype: 'f32', shape: [3, 9, 6, 4] }, [2, 5, 7, 1], ['edge']),
  cropCase({ dtype: 'f16', shape: [1, 272, 272, 4] }, [96, 0, 128, 128], ['real', 'perf']),
];
