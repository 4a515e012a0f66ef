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

/** `make` in one of its designs, where it is a candidate; else in the one it has anyway. */
export function inDesign(design: string, make: (target: Target) => Kernel, target: Target): Kernel {
  const { choice } = make(target);
  return choice ? make({ ...target, designs: { [choice.key]: design } }) : make(target);
}

/** Throws where `design` is a candidate on no GPU: its case would test another one. */
export function expectDesign(design: string, make: (target: Target) => Kernel): void {
  const known = [true, false].flatMap(
    (shaderF16) => make({ family: 'alu', shaderF16, subgroupSize: 32 }).choice?.candidates ?? [],
  );
  if (!known.includes(design)) throw new Error(`${design} is none of ${known.join()}`);
}
