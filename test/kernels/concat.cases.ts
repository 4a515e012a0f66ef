import { format, type TensorType } from '../../src/engine/kernel.ts';
import { concat, concatReference } from '../../src/kernels/concat.ts';
import type { KernelCase } from './cases.ts';

const concatCase = (a: TensorType, b: TensorType, tags: KernelCase['tags']): KernelCase => ({
  name: `concat ${format(a)} ${format(b)}`,
  tags,
  inputs: { a, b },
  kernel: (target) => concat({ a, b }, {}, target),
  reference: ({ a: dataA, b: dataB }) =>
    concatReference(
      { a: dataA as Float32Array, b: dataB as Float32Array },
      { channelsA: a.shape.at(-1)!, channelsB: b.shape.at(-1)! },
    ),
  maxNmse: a.dtype === b.dtype ? 0 : 1e-6, // copies, but for a change of storage
});

export const cases: readonly KernelCase[] = [
  // Two strips of 3x5 and 2x5 pixels, joined along their height.
  concatCase({ dtype: 'f32', shape: [2, 60] }, { dtype: 'f32', shape: [2, 40] }, ['edge']),
  concatCase({ dtype: 'f32', shape: [1, 1, 1, 4] }, { dtype: 'f32', shape: [1, 1, 1, 4] }, [
    'edge',
  ]),
  concatCase({ dtype: 'f16', shape: [2, 3, 5, 12] }, { dtype: 'f16', shape: [2, 3, 5, 4] }, [
    'edge',
  ]),
  concatCase({ dtype: 'f32', shape: [2, 5, 3, 8] }, { dtype: 'f16', shape: [2, 5, 3, 20] }, [
    'edge',
  ]),
  concatCase({ dtype: 'f16', shape: [1, 64, 64, 64] }, { dtype: 'f16', shape: [1, 64, 64, 32] }, [
    'real',
    'perf',
  ]),
];
