import { format, type TensorType } from '../../src/engine/kernel.ts';
import {
  bicubic,
  bicubicAntialias,
  bicubicAntialiasReference,
  type BicubicConstants,
  bicubicReference,
} from '../../src/kernels/resize.ts';
import type { KernelCase } from './cases.ts';

const FLAVOURS = {
  bicubic: { factory: bicubic, reference: bicubicReference },
  bicubicAntialias: { factory: bicubicAntialias, reference: bicubicAntialiasReference },
} as const;

const resizeCase = (
  flavour: keyof typeof FLAVOURS,
  x: TensorType,
  constants: BicubicConstants,
  tags: KernelCase['tags'],
): KernelCase => ({
  name: `${flavour} ${format(x)} ${JSON.stringify(constants)}`,
  tags,
  inputs: { x },
  kernel: (target) => FLAVOURS[flavour].factory({ x }, constants, target),
  reference: (data) =>
    FLAVOURS[flavour].reference({ x: data['x'] as Float32Array }, x.shape, constants),
});

const edges = (['bicubic', 'bicubicAntialias'] as const).flatMap((flavour) => [
  resizeCase(flavour, { dtype: 'f32', shape: [1, 1, 1, 4] }, { height: 4, width: 4 }, ['edge']),
  resizeCase(flavour, { dtype: 'f16', shape: [1, 1, 5, 4] }, { height: 4, width: 20 }, ['edge']),
  resizeCase(flavour, { dtype: 'f32', shape: [2, 7, 9, 8] }, { height: 28, width: 36 }, ['edge']),
  resizeCase(flavour, { dtype: 'f32', shape: [2, 20, 27, 4] }, { height: 13, width: 9 }, ['edge']),
  resizeCase(flavour, { dtype: 'f16', shape: [1, 20, 27, 4] }, { height: 30, width: 50 }, ['edge']),
  // positions beyond 1000 with awkward fractions: f32 arithmetic on them would lose 1e-4
  resizeCase(flavour, { dtype: 'f32', shape: [1, 1, 1500, 4] }, { height: 1, width: 4199 }, [
    'edge',
  ]),
  // what both lengths have in common divided out, numerators stay small: in·out is above 2^29
  resizeCase(flavour, { dtype: 'f32', shape: [1, 1, 12_000, 4] }, { height: 1, width: 48_000 }, [
    'edge',
  ]),
]);

export const cases: readonly KernelCase[] = [
  ...edges,
  resizeCase(
    'bicubic',
    { dtype: 'f16', shape: [1, 128, 128, 4] },
    { height: 512, width: 512, dtype: 'f32' },
    ['real', 'perf'],
  ),
  resizeCase(
    'bicubic',
    { dtype: 'f32', shape: [1, 128, 128, 4] },
    { height: 512, width: 512, dtype: 'f16' },
    ['real'],
  ),
  resizeCase(
    'bicubicAntialias',
    { dtype: 'f32', shape: [1, 128, 128, 4] },
    { height: 512, width: 512 },
    ['real', 'perf'],
  ),
];
