/**
 * What the adapter reaches at most, measured in the same run as the rows: a copy, multiply-adds in
 * registers, products of subgroup matrices; of each the best of some designs. And a row's share of it by the roofline,
 *
 *   least time = max(flops / compute ceiling, bytes / copy ceiling),   share = least time / median.
 *
 * The compute ceiling is that of f32 arithmetic, because sums are f32 whatever the storage; products of
 * f16 tensors are held to the matrix units where the device has them, of f32 tensors too where those take f32.
 */
import type { EngineContext } from '../src/engine/context.ts';
import type { Cost, Kernel, SubgroupMatrix, TensorType } from '../src/engine/kernel.ts';
import { copyKernel } from './copy-kernel.ts';
import { matrixInputs, matrixKernel } from './matrix-kernel.ts';
import type { Ceilings, KernelRow } from './record.ts';
import { type SpinOptions, spinKernel } from './spin-kernel.ts';
import { timeKernel, type TimingOptions } from './time-kernel.ts';

/** Enough to fill a large GPU, and little enough that two cores are done in some milliseconds. */
const WORKGROUPS = { alu: 4096, cpu: 64 } as const;
const ROUNDS = { alu: 2048, cpu: 512 } as const;
/** A matrix product is some thousand multiply-adds. */
const MATRIX = { workgroups: 1024, rounds: 64 } as const;

/** More chains hide latency, fewer leave registers: the best counts. */
const SPINS = {
  f32: [
    { chains: 2 },
    { chains: 3 },
    { chains: 4 },
    { chains: 3, isFused: false },
    { chains: 4, isFused: false },
  ],
  f16: [{ chains: 4 }, { chains: 4, isFused: false }],
} as const satisfies Record<string, readonly SpinOptions[]>;

/** Bytes read, and as many written. Copies of it rotate until they are larger than a cache. */
const COPY_BYTES = { alu: 2 ** 27, cpu: 2 ** 24 } as const;

/** Vectors of an invocation. */
const COPIES = [1, 4, 16] as const;

export async function measureCeilings(
  context: EngineContext,
  options: Pick<TimingOptions, 'clock' | 'samples' | 'signal'>,
): Promise<Ceilings> {
  const { target, capabilities } = context;
  const { family, matrix } = target;
  /** Billions per second, by the fastest tenth: a ceiling is what was reached, not what is usual. */
  const rateOf = async (kernel: Kernel, amount: keyof Cost, inputs = {}): Promise<number> => {
    const { p10 } = await timeKernel(context, kernel, { ...options, inputs, seconds: 1 });
    return kernel.cost[amount] / p10 / 1e6;
  };
  const sizes = { workgroups: WORKGROUPS[family], rounds: ROUNDS[family] };
  const spin = async (dtype: 'f32' | 'f16'): Promise<number> => {
    const rates: number[] = [];
    for (const spin of SPINS[dtype]) {
      rates.push(await rateOf(spinKernel(target, { ...spin, ...sizes, dtype }), 'flops'));
    }
    return Math.max(...rates);
  };
  const bytes = Math.min(COPY_BYTES[family], capabilities.limits.maxStorageBufferBindingSize);
  const copied: TensorType = { dtype: 'f32', shape: [Math.floor(bytes / 1024), 256] };
  const copies: number[] = [];
  for (const loads of COPIES) {
    copies.push(await rateOf(copyKernel(copied, loads), 'bytes', { x: copied }));
  }
  const copyGBs = Math.max(...copies);
  const f32Gflops = await spin('f32');
  return {
    copyGBs,
    f32Gflops,
    ...(target.shaderF16 && { f16Gflops: await spin('f16') }),
    ...(matrix && {
      matrixGflops: await rateOf(matrixKernel(matrix, MATRIX), 'flops', matrixInputs(matrix)),
    }),
  };
}

/** Ops that matrix units can compute. */
const PRODUCTS = new Set(['linear', 'conv2d', 'upsampleConv2d', 'attention']);

export function rooflineOf(
  { op, inputs }: { readonly op: string; readonly inputs: Readonly<Record<string, TensorType>> },
  { flops, bytes }: Cost,
  {
    milliseconds,
    ceilings,
    matrix,
  }: {
    readonly milliseconds: number;
    readonly ceilings: Ceilings;
    readonly matrix?: SubgroupMatrix | undefined;
  },
): Pick<KernelRow, 'bound' | 'ofCeiling'> {
  const { copyGBs, f32Gflops, matrixGflops = 0 } = ceilings;
  const [x] = Object.values(inputs);
  const isMatrix = PRODUCTS.has(op) && (x?.dtype === 'f16' || matrix?.component === 'f32');
  const compute = flops / (isMatrix ? Math.max(matrixGflops, f32Gflops) : f32Gflops) / 1e6;
  const memory = bytes / copyGBs / 1e6;
  return {
    bound: compute > memory ? 'compute' : 'memory',
    ofCeiling: Math.max(compute, memory) / milliseconds,
  };
}
