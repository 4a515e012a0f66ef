/**
 * What a bench of kernels found, as plain data: what --json prints, --out keeps, --compare reads and
 * the reports draw. Times are milliseconds, rates billions per second, `flops` and `bytes` the kernel's
 * own cost (a fused multiply-add counts as 2, traffic is the compulsory one). Every figure in it was
 * measured: what could not be run is in `skipped` with the reason.
 */
import type { SubgroupMatrix, Target } from '../src/engine/kernel.ts';
import type { Spread } from '../src/invsr/measure.ts';

/** What a figure is worth nothing without. */
export interface Machine {
  /** UTC, to the minute. */
  readonly date: string;
  /** Short hash, with `+` when files differ from it; the package's version where there is no clone. */
  readonly commit: string;
  /** The adapter as people know it, with its driver as far as the implementation tells. */
  readonly adapter: string;
  /** As WebGPU names the device, where `adapter` is the driver's text. */
  readonly device?: string;
  readonly vendor: string;
  readonly architecture: string;
  readonly shaderF16: boolean;
  /** What carries WebGPU: `webgpu 0.6.2` (npm's Dawn), or a browser. */
  readonly dawn: string;
  /** Node's version; empty in a browser. */
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  /** Runnable processes, mean of the last minute: 0 is a quiet machine. Absent where nobody tells. */
  readonly load?: number;
}

/** What the adapter was seen to reach, by micro-benchmarks in the same run (ceilings.ts). */
export interface Ceilings {
  /** Reads and writes of a copy together. */
  readonly copyGBs: number;
  readonly f32Gflops: number;
  /** With `shader-f16`. */
  readonly f16Gflops?: number;
  /** With the subgroup matrices of `target`. */
  readonly matrixGflops?: number;
}

/** What time was read from; see clock.ts. */
export interface ClockFacts {
  /**
   * `timestamps`: GPU timestamps around every dispatch. `timestamp-batches`: around batches, because
   * they are rounded. `wall-batches`: batches by the host's clock, because the device has none.
   */
  readonly kind: 'timestamps' | 'timestamp-batches' | 'wall-batches';
  /** Steps of the clock; of the host's clock the time of a submit without work. 0: finer than told. */
  readonly quantumNanoseconds: number;
}

/** The same work on another engine, in the same run. */
export interface PeerFigure {
  /** `onnxruntime-node 1.23.0 webgpu` */
  readonly name: string;
  readonly dtype: 'f32' | 'f16';
  readonly milliseconds: Spread;
  /** Ours in turns with it; of three kernels where the peer's op is all of a group normalisation. */
  readonly ours?: Spread;
  /** rms(ours − theirs) / std(theirs), compared before anything was timed. */
  readonly difference: number;
  readonly note?: string;
}

export interface KernelRow {
  /** Op and variant: the same in every run and commit that measures the same work. */
  readonly id: string;
  /** Name of the graph's op, e.g. `conv2d`. */
  readonly op: string;
  /** Storage, shapes and options, and what was cut of them. */
  readonly variant: string;
  /** `4096x512x4608`: rows, columns and terms of a product; `4096x4096x64` of attention; else the output's shape. */
  readonly size: string;
  /** `noise_predictor`, `vae.encoder`, `unet`, `vae.decoder`, `other`: the one that has it most often. Of other models after their name: `invsr-nano unet`; of the kernels' test cases `case`. */
  readonly network: string;
  /** How often one tile's path dispatches it. 0: a layer that the plan has in another form. */
  readonly count: number;
  /** `count` by network, where several have it. */
  readonly counts?: Readonly<Record<string, number>>;
  /** It depends on weights only: run when the model is loaded, not for every tile. */
  readonly isPrepared?: boolean;
  readonly milliseconds: Spread;
  readonly flops: number;
  readonly bytes: number;
  readonly gflops: number;
  readonly gbytes: number;
  /** What the roofline says it must be limited by. */
  readonly bound: 'compute' | 'memory';
  /** Roofline time over measured time: 1 is the adapter's measured ceiling. */
  readonly ofCeiling: number;
  /** The chosen design, where the kernel has several (kernels/designs.ts). */
  readonly design?: string;
  /** What was made smaller so that a software adapter could run it, in words. */
  readonly cut?: string;
  readonly peer?: PeerFigure;
  /** Why a peer that was asked for has no figure. */
  readonly noPeer?: string;
}

/** For `tunedClasses` of records: tuned designs make other times of the same work. */
export const tunedClassesOf = ({ designs = {} }: Pick<Target, 'designs'>): number =>
  Object.keys(designs).length;

export interface KernelRecord {
  readonly bench: 'kernels';
  readonly machine: Machine;
  readonly target: {
    readonly family: string;
    readonly shaderF16: boolean;
    /** 0 where it varies or is not told. */
    readonly subgroupSize: number;
    readonly matrix?: SubgroupMatrix;
  };
  /** Storage of activations. */
  readonly precision: 'f16' | 'f32';
  /** Classes of sizes whose designs were tuned on this adapter; the others' are shipped or guessed. */
  readonly tunedClasses?: number;
  readonly clock: ClockFacts;
  readonly ceilings: Ceilings;
  readonly rows: readonly KernelRow[];
  /** Cases that gave no figure. */
  readonly skipped: readonly { readonly id: string; readonly why: string }[];
  /** Why the run ended before its last case. */
  readonly incomplete?: string;
}
