/**
 * What a conformance case is. One file of cases per kernel file (`<kernel>.cases.ts`), collected by
 * `registry.ts`; the printed name is the test name, the --filter argument and the bench row.
 */
import type { Kernel, Target, TensorType } from '../../src/engine/kernel.ts';
export { CHUNK_NMSE, sumNmse } from '../../src/tune/tolerance.ts';
import type { HostData } from '../harness/run-kernel.ts';

export interface KernelCase {
  /** e.g. `affine f32 [1,8,8,4] + b`. Unique. */
  readonly name: string;
  readonly tags: readonly ('edge' | 'real' | 'perf')[];
  readonly inputs: Readonly<Record<string, TensorType>>;
  readonly kernel: (target: Target) => Kernel;
  /** f64 reference over the inputs as stored (f16 inputs arrive rounded to f16). */
  readonly reference: (data: Readonly<Record<string, HostData>>) => HostData;
  /** Input values, `default` seeded normal. Called once per input. */
  readonly data?: (name: string, type: TensorType, seed: number) => HostData;
  /** Families to run it as. @default all */
  readonly families?: readonly Target['family'][];
  /** Content of the output before the dispatch, for kernels that accumulate. */
  readonly initial?: HostData;
  /**
   * NMSE limit. @default 1e-12 for f32 output, 1e-6 for f16 output (one rounding to f16 is 2e-8 of
   * relative power; sums of rounded inputs measured up to 1.6e-7). A raised limit says why.
   */
  readonly maxNmse?: number;
}

/** Kinds of targets that designs are made for. */
const KINDS: readonly Target[] = [
  { family: 'cpu', shaderF16: true, subgroupSize: 8 },
  { family: 'alu', shaderF16: true, subgroupSize: 32 },
  { family: 'alu', shaderF16: false, subgroupSize: 32 },
];

/**
 * `make` in one of its designs where the target has it, else as the target has it anyway. A name that
 * no kind of target knows is a mistake: nothing would be tested.
 */
export function inDesign(
  design: string | undefined,
  make: (target: Target) => Kernel,
  target: Target,
): Kernel {
  if (design === undefined) return make(target);
  const { choice } = make(target);
  if (choice?.candidates.includes(design)) {
    return make({ ...target, designs: { [choice.key]: design } });
  }
  const known = KINDS.flatMap((kind) => make(kind).choice?.candidates ?? []);
  if (!known.includes(design)) throw new Error(`${design} is none of ${known.join()}`);
  return make(target);
}
