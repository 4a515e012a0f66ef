/**
 * Products on subgroup matrices: every shape of matrices, every design, every epilogue, ragged edges.
 * Adapters without them run the cases through the emulator (matrix.test.ts); the null backend compiles
 * them as they are (test/wgsl).
 */
import type { MatrixShape, Target, TensorType } from '../../src/engine/kernel.ts';
import { batchedLinearCase } from './batched-linear.cases.ts';
import { inDesign, type KernelCase } from './cases.ts';
import { conv2dCase } from './conv2d.cases.ts';
import { partialCase } from './gemm-split.cases.ts';
import { linearCase } from './matmul.cases.ts';
import { upsampleConv2dCase } from './upsample-conv2d.cases.ts';

const f16 = (...shape: number[]): TensorType => ({ dtype: 'f16', shape });

const BOTTOM_RIGHT = { top: 0, left: 0, bottom: 1, right: 1 };

/** Design of the tile of this size, and a case for a target that has it. */
type Entry = readonly [design: string, make: (target: Target, design: string) => KernelCase];

/** One of each: gathered and halo tiles; staged and direct weights, in rows and in blocks; phases. */
const fewEntries = (large: string, small: string): readonly Entry[] => [
  // pixels, columns and depth beyond the tiles' multiples; not even a multiple of the matrix
  [
    `matrix${large}`,
    (target, design) =>
      linearCase(f16(1, 150, 68), 132, [], {
        residual: 'f16',
        groups: 4,
        moments: 12,
        target,
        design,
      }),
  ],
  [
    `matrix${small} direct`,
    (target, design) =>
      linearCase(f16(3, 25, 48), 80, [], { y: 'f32', bias: false, target, design }),
  ],
  [
    `halo${large} direct`,
    (target, design) =>
      conv2dCase(f16(1, 9, 18, 48), 80, [], {
        dtype: 'f32',
        blocks: target.matrix,
        target,
        design,
      }),
  ],
  [
    `halo${small}`,
    (target) => upsampleConv2dCase(f16(2, 9, 17, 20), 36, [], { moments: 18, target }),
  ],
];

const allEntries = (large: string, small: string): readonly Entry[] => [
  ...fewEntries(large, small),
  [
    `matrix${large} direct`,
    (target, design) =>
      linearCase(f16(1, 64, 64), 128, [], { gated: true, blocks: target.matrix, target, design }),
  ],
  [
    `matrix${small}`,
    (target, design) =>
      conv2dCase(f16(2, 9, 7, 20), 36, [], {
        shift: 2,
        residual: 'f32',
        dtype: 'f32',
        target,
        design,
      }),
  ],
  [
    `matrix${small}`,
    (target, design) =>
      conv2dCase(f16(1, 17, 18, 36), 68, [], { stride: 2, padding: BOTTOM_RIGHT, target, design }),
  ],
  [
    `halo${large}`,
    (target, design) =>
      conv2dCase(f16(2, 10, 19, 36), 68, [], {
        norm: 'silu',
        groups: 4, // of 9 channels, across vectors
        moments: 4,
        shift: 2,
        activation: 'silu',
        target,
        design,
      }),
  ],
  [
    `halo${small} direct`,
    (target) =>
      upsampleConv2dCase(f16(1, 5, 16, 16), 64, [], {
        dtype: 'f32',
        blocks: target.matrix,
        target,
      }),
  ],
  [`matrix${small}`, (target) => upsampleConv2dCase(f16(1, 6, 5, 12), 20, [], { target })],
  // parts of the inner dimension
  [`matrix${small}`, () => partialCase(f16(2, 5, 6, 32), 36, 3)],
  [`halo${small}`, () => partialCase(f16(1, 4, 17, 64), 36, 2, 'channels')],
  [`matrix${small} direct`, ({ matrix }) => partialCase(f16(1, 5, 6, 32), 48, 3, 'taps', matrix)],
  // a weight for each image
  [
    `matrix${small} direct`,
    ({ matrix }) => batchedLinearCase(f16(3, 20, 48), f16(3, 48, 80), matrix),
  ],
];

function group(matrix: MatrixShape, entries: readonly Entry[]): KernelCase[] {
  const base: Target = { family: 'alu', shaderF16: true, subgroupSize: 32, matrix };
  return entries.map(([design, make]) => {
    const made = make(base, design);
    const [what] = made.name.split(' {');
    return {
      ...made,
      kernel: (target) => inDesign(design, made.kernel, { ...target, ...base }),
      name: `${what}, ${matrix.m}x${matrix.n}x${matrix.k} ${design}`,
    };
  });
}

export const cases: readonly KernelCase[] = [
  ...group({ m: 16, n: 16, k: 16 }, allEntries('128x128', '64x64')), // NVIDIA
  ...group({ m: 8, n: 16, k: 16 }, fewEntries('128x64', '64x64')), // Intel
  ...group({ m: 8, n: 8, k: 8 }, fewEntries('128x64', '64x64')),
];
