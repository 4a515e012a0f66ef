/**
 * What a kernel factory returns and the engine consumes: plain data, no GPU objects.
 *
 * The engine turns a `Kernel` into a pipeline (cached by `wgsl`) and, once the graph has placed
 * every tensor in a slot, into one dispatch. Shapes travel in a small uniform struct (`Params`), not
 * in the WGSL text, so that one pipeline serves every shape of an op (docs/decisions/0002).
 */

export type DType = 'f32' | 'f16' | 'u32';

/** Dimensions, outermost first. Images are `[N, H, W, C]`, sequences `[N, L, C]`. */
export type Shape = readonly number[];

export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}

export interface Cost {
  /** Floating-point operations; one fused multiply-add counts as 2. */
  readonly flops: number;
  /** Compulsory traffic: every input read once, every output written once. */
  readonly bytes: number;
}

/** One member of a kernel's uniform struct. */
export interface Param {
  readonly type: 'u32' | 'i32' | 'f32';
  readonly value: number;
}

/** The uniform struct at binding 0, in declaration order. */
export type Params = Readonly<Record<string, Param>>;

export interface Kernel {
  /** Camel-case op name, e.g. `layerNorm`. Groups dispatches in traces and benches. */
  readonly name: string;
  /** What distinguishes this instance, e.g. `f16 [1,4096,320] gelu`. Debug label only. */
  readonly variant: string;
  /** Entry point `main`. The pipeline cache key. */
  readonly wgsl: string;
  /** Input name → binding number in `@group(0)`; 0 belongs to `params`. Gaps are allowed. */
  readonly bindings: Readonly<Record<string, number>>;
  readonly params: Params;
  readonly output: { readonly binding: number; readonly type: TensorType };
  /** A second output: moments of the first one's values, see kernels/moments.ts. */
  readonly moments?: { readonly binding: number; readonly type: TensorType };
  readonly workgroups: readonly [x: number, y: number, z: number];
  readonly cost: Cost;
  /** Where there was one to make; see kernels/designs.ts. */
  readonly choice?: Choice;
}

/** Which of several designs a kernel has; all of them compute the same. */
export interface Choice {
  /** Op, storage and class of sizes: what a tuning table is keyed by. */
  readonly key: string;
  readonly design: string;
  /** What it was chosen from, the best guess first. */
  readonly candidates: readonly string[];
  /** Measured on this adapter; measured on such adapters; the factory's guess. */
  readonly source: 'tuned' | 'shipped' | 'guess';
}

/** Shape of the matrices that a subgroup multiplies: [m, k] · [k, n] → [m, n]. */
export interface MatrixShape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** What a weight is cut into where products load it matrix by matrix: see kernels/blocks.ts. */
export type Blocks = Pick<MatrixShape, 'k' | 'n'>;

/** Matrices with f32 sums that a device multiplies rightly, and what kernels must know to use them. */
export interface SubgroupMatrix extends MatrixShape {
  /** Of the operands. */
  readonly component: 'f16' | 'f32';
  /** Invocations that share a matrix; kernels without matrices rely on `Target.subgroupSize` alone. */
  readonly subgroupSize: number;
  /** Kernels ask for that size: compilers of this device choose among several. */
  readonly isPinned: boolean;
}

/**
 * What the kernels may rely on. `cpu` is a software rasteriser whose subgroup is one SIMD vector
 * (lavapipe, SwiftShader): no shared memory, uniform addresses preferred. `alu` is any GPU.
 */
export interface Target {
  readonly family: 'cpu' | 'alu';
  /** The device has `shader-f16`; without it f16 storage is read through `unpack2x16float`. */
  readonly shaderF16: boolean;
  /** Invocations in every subgroup; 0 where it varies or the device lacks `subgroups`. */
  readonly subgroupSize: number;
  /** Seen to multiply rightly on this device; see matrix-check.ts. */
  readonly matrix?: SubgroupMatrix;
  /** By `Choice.key`: the design that was the fastest where it was measured. */
  readonly designs?: Designs | undefined;
  /** Whose shipped designs count where nothing was measured; see kernels/shipped-designs.ts. */
  readonly adapter?: { readonly vendor: string; readonly architecture: string };
}

/** Design by `Choice.key`: plain JSON. */
export type Designs = Readonly<Record<string, string>>;

export const sizeOf = (shape: Shape): number => shape.reduce((n, d) => n * d, 1);

const BYTES_PER_ELEMENT = { f32: 4, f16: 2, u32: 4 } as const satisfies Record<DType, number>;

export const byteLength = ({ dtype, shape }: TensorType): number =>
  sizeOf(shape) * BYTES_PER_ELEMENT[dtype];

/** The least multiple of 4 that holds `n` channels: what padded tensors have. */
export const roundUp4 = (n: number): number => Math.ceil(n / 4) * 4;

/** `f16 [1,64,64,320]` */
export const format = ({ dtype, shape }: TensorType): string => `${dtype} [${shape.join(',')}]`;

export const u32 = (value: number): Param => ({ type: 'u32', value });
export const i32 = (value: number): Param => ({ type: 'i32', value });
export const f32 = (value: number): Param => ({ type: 'f32', value });

/** The WGSL declaration of a kernel's uniform struct, from the same record that fills it. */
export function paramsWgsl(params: Params): string {
  const members = Object.entries(params).map(([name, { type }]) => `  ${name}: ${type},`);
  return `struct Params {\n${members.join('\n')}\n}\n@group(0) @binding(0) var<uniform> params: Params;`;
}

/** Bytes of the uniform struct: 4 per member, padded to 16. */
export function packParams(params: Params): ArrayBuffer {
  const entries = Object.values(params);
  const data = new DataView(new ArrayBuffer(Math.max(16, Math.ceil(entries.length / 4) * 16)));
  for (const [i, { type, value }] of entries.entries()) {
    if (type === 'f32') data.setFloat32(4 * i, value, true);
    else if (type === 'i32') data.setInt32(4 * i, value, true);
    else data.setUint32(4 * i, value, true);
  }
  return data.buffer;
}

/** The default limit every WebGPU device has; `gridOf` folds larger counts into y. */
export const MAX_WORKGROUPS_PER_DIMENSION = 65_535;

/**
 * Workgroup counts for `count` one-dimensional workgroups. Shaders recover the index as
 * `workgroup_id.y * num_workgroups.x + workgroup_id.x` and must return when it reaches `count`.
 */
export function gridOf(count: number): [x: number, y: number, z: number] {
  const y = Math.ceil(count / MAX_WORKGROUPS_PER_DIMENSION);
  return [Math.ceil(count / y), y, 1];
}

/** A caller broke a kernel's contract. The graph prefixes the path of the layer being built. */
export class ShapeError extends Error {
  override readonly name = 'ShapeError';
}

export function expectShape(what: string, actual: TensorType, expected: Shape): void {
  if (actual.shape.length === expected.length && expected.every((d, i) => d === actual.shape[i])) {
    return;
  }
  throw new ShapeError(`${what} is ${format(actual)}, expected [${expected.join(',')}]`);
}
