/**
 * Attention on subgroup matrices: every design, every shape of matrices. attention-matrix.test.ts runs
 * the cases through the emulator; the null backend compiles them as they are (test/wgsl).
 */
import type { SubgroupMatrix } from '../../src/engine/kernel.ts';
import { AMD, INTEL, INTEL_16, nameOfMatrix, NVIDIA, withMatrix } from '../harness/matrices.ts';
import { attentionCase } from './attention.cases.ts';
import type { KernelCase } from './cases.ts';

const f16 = { dtype: 'f16' } as const;

// Where std is 1, no maximum grows by 2^8 after the first keys; where it is more, some do.
const ENTRIES: readonly (readonly [SubgroupMatrix, KernelCase])[] = [
  [NVIDIA, attentionCase({ ...f16, q: [1, 1, 16], kv: [1, 1], design: 'matrix64' })],
  [NVIDIA, attentionCase({ ...f16, q: [1, 70, 64], kv: [1, 45], design: 'matrix64' })],
  [NVIDIA, attentionCase({ ...f16, q: [1, 70, 64], kv: [1, 45], design: 'matrix128ahead' })],
  // k and v for both batch entries, packed; rows and keys beyond the tiles' multiples
  [
    NVIDIA,
    attentionCase({
      ...f16,
      q: [2, 150, 64],
      kv: [1, 77],
      heads: 2,
      std: 30,
      design: 'matrix128',
      packed: { widths: [72, 128, 128], offsets: { q: 8, k: 64, v: 0 } },
    }),
  ],
  [
    INTEL,
    attentionCase({ ...f16, q: [1, 130, 48], std: 8, causal: true, design: 'matrix64ahead' }),
  ],
  [
    AMD,
    attentionCase({ ...f16, q: [2, 65, 32], kv: [2, 100], heads: 2, std: 8, design: 'matrix64' }),
  ],
  [NVIDIA, attentionCase({ ...f16, q: [1, 64, 128], kv: [1, 96], std: 8, design: 'wide' })],
  [INTEL_16, attentionCase({ ...f16, q: [2, 32, 512], kv: [1, 64], heads: 2, design: 'wide' })],
];

/** Whatever the target, a GPU with these matrices. */
export const cases: readonly KernelCase[] = ENTRIES.map(([matrix, made]) => ({
  ...made,
  name: `${made.name}, ${nameOfMatrix(matrix)}`,
  kernel: () => made.kernel(withMatrix(matrix)),
}));
