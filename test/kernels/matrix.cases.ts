/**
 * Products on subgroup matrices: every kind of matrices, every design, every epilogue, ragged edges.
 * Adapters without them run the cases through the emulator (matrix.test.ts); the null backend compiles
 * them as they are (test/wgsl).
 */
import type { SubgroupMatrix, Target, TensorType } from '../../src/engine/kernel.ts';
import {
  AMD,
  APPLE,
  INTEL,
  INTEL_16,
  nameOfMatrix,
  NVIDIA,
  withMatrix,
} from '../harness/matrices.ts';
import { batchedLinearCase } from './batched-linear.cases.ts';
import { inDesign, type KernelCase } from './cases.ts';
import { conv2dCase } from './conv2d.cases.ts';
import { partialCase } from './gemm-split.cases.ts';
import { linearCase } from './linear.cases.ts';
import { upsampleConv2dCase } from './upsample-conv2d.cases.ts';

const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape });
const f16 = (...shape: number[]): TensorType => ({ dtype: 'f16', shape });

const BOTTOM_RIGHT = { top: 0, left: 0, bottom: 1, right: 1 };

/** Design of the tile of this size, and a case for a target that has it. */
type Entry = readonly [design: string, make: (target: Target, design: string) => KernelCase];

/** Pixels, columns and depth beyond the tiles' multiples; not even a multiple of the matrix. */
const ragged = (size: string): Entry => [
  `matrix${size}`,
  (target, design) =>
    linearCase(f16(1, 150, 68), 132, [], {
      residual: 'f16',
      groups: 4,
      momentChannels: 12,
      target,
      design,
    }),
];
const phases = (size: string): Entry => [
  `halo${size}`,
  (target) => upsampleConv2dCase(f16(2, 9, 17, 20), 36, [], { momentChannels: 18, target }),
];
/** Weights in blocks, or in rows. */
const directLinear = (size: string, { inBlocks }: { readonly inBlocks: boolean }): Entry => [
  `matrix${size} direct`,
  (target, design) => {
    const blocks = inBlocks ? target.matrix : undefined;
    return linearCase(f16(3, 25, 48), 80, [], { y: 'f32', bias: false, blocks, target, design });
  },
];
const directConv = (size: string): Entry => [
  `halo${size} direct`,
  (target, design) => {
    const blocks = target.matrix;
    return conv2dCase(f16(1, 9, 18, 48), 80, [], { dtype: 'f32', blocks, target, design });
  },
];
/** Parts of the inner dimension. */
const splitTaps = (size: string): Entry => [
  `matrix${size}`,
  () => partialCase(f16(2, 5, 6, 32), 36, 3),
];

/** Operands in f32: any storage, and no rounding of a normalized x, which sums stored as f32 would show. */
const singleEntries = (large: string, small: string): readonly Entry[] => [
  phases(small),
  splitTaps(small),
  [
    `matrix${small}`,
    (target, design) =>
      linearCase(f32(3, 25, 20), 72, [], { weight: 'f32', gated: true, target, design }),
  ],
  [
    `halo${large}`,
    (target, design) =>
      conv2dCase(f16(2, 10, 19, 36), 68, [], {
        norm: 'silu',
        groups: 4,
        momentChannels: 4,
        shift: 2,
        dtype: 'f32',
        target,
        design,
      }),
  ],
];

const allEntries = (large: string, small: string): readonly Entry[] => [
  ragged(large),
  phases(small),
  directLinear(small, { inBlocks: false }),
  directConv(large),
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
        momentChannels: 4,
        shift: 2,
        activation: 'silu',
        target,
        design,
      }),
  ],
  [
    `halo${small} direct`,
    (target) => {
      const blocks = target.matrix;
      return upsampleConv2dCase(f16(1, 5, 16, 16), 64, [], { dtype: 'f32', blocks, target });
    },
  ],
  [`matrix${small}`, (target) => upsampleConv2dCase(f16(1, 6, 5, 12), 20, [], { target })],
  splitTaps(small),
  [`halo${small}`, () => partialCase(f16(1, 4, 17, 64), 36, 2, 'channels')],
  [`matrix${small} direct`, ({ matrix }) => partialCase(f16(1, 5, 6, 32), 48, 3, 'taps', matrix)],
  // a weight for each image
  [
    `matrix${small} direct`,
    ({ matrix }) => batchedLinearCase(f16(3, 20, 48), f16(3, 48, 80), matrix),
  ],
];

function group(matrix: SubgroupMatrix, entries: readonly Entry[]): KernelCase[] {
  const base = withMatrix(matrix);
  return entries.map(([design, make]) => {
    const made = make(base, design);
    const [what] = made.name.split(' {');
    return {
      ...made,
      kernel: (target) => inDesign(design, made.kernel, { ...target, ...base }),
      name: `${what}, ${nameOfMatrix(matrix)} ${design}`,
    };
  });
}

/** Of each kind what it has of its own: shape, number of subgroups, storage. */
export const cases: readonly KernelCase[] = [
  ...group(NVIDIA, allEntries('128x128', '64x64')),
  ...group(INTEL, [ragged('128x64'), directLinear('64x64', { inBlocks: true })]),
  ...group(INTEL_16, [phases('64x64'), directConv('128x64')]),
  ...group(AMD, [phases('64x64')]),
  ...group(APPLE, singleEntries('128x64', '64x64')),
];
