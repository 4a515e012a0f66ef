/**
 * What an adapter or a device can do, as plain data: `capabilitiesOf` reads it, `targetOf` reduces it
 * to what kernels may rely on, `requiredDevice` is what to ask an adapter for.
 */
import { DeviceError } from './errors.ts';
import type { MatrixShape, Target } from './kernel.ts';

/** Dawn's name for products of small matrices by a whole subgroup; behind a toggle so far. */
export const MATRIX_FEATURE = 'chromium-experimental-subgroup-matrix' as GPUFeatureName;

/** Lets a shader ask for the size of its subgroups; matrices need it where compilers choose. */
export const SIZE_FEATURE = 'subgroup-size-control' as GPUFeatureName;

/** Used where the adapter has them; none is needed. */
export const WANTED_FEATURES: readonly GPUFeatureName[] = [
  'shader-f16',
  'subgroups',
  'timestamp-query',
  MATRIX_FEATURE,
  SIZE_FEATURE,
];

/** Asked for at the adapter's best: WebGPU's defaults are far below what tensors need. */
const RAISED_LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxTextureDimension2D',
] as const;

const READ_LIMITS = [
  ...RAISED_LIMITS,
  'maxComputeWorkgroupsPerDimension',
  'minUniformBufferOffsetAlignment',
] as const;

export type LimitName = (typeof READ_LIMITS)[number];

/** A kind of subgroup matrices: [m, k] · [k, n] → [m, n]. */
export interface MatrixConfig extends MatrixShape {
  readonly componentType: string;
  readonly resultComponentType: string;
}

/** Plain data: it can be cloned, sent and printed. */
export interface Capabilities {
  /** As WebGPU's adapter info has them; empty where the implementation does not tell. */
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /** The adapter runs on the CPU. */
  readonly isSoftware: boolean;
  /** The kind of kernels it gets: `cpu` for software adapters, else `alu`. */
  readonly family: Target['family'];
  /** Sorted. */
  readonly features: readonly string[];
  /** WebGPU's limits of these names, in its units (bytes, invocations, workgroups). */
  readonly limits: Readonly<Record<LimitName, number>>;
  /** Activations can be stored and computed as f16. */
  readonly shaderF16: boolean;
  /** Invocations; 4 and 128, WebGPU's widest range, where the implementation does not tell. */
  readonly subgroupMinSize: number;
  readonly subgroupMaxSize: number;
  /** What the adapter lists; whether it multiplies rightly is for matrix-check.ts to find out. */
  readonly matrixConfigs: readonly MatrixConfig[];
}

/** What an adapter offers, or what a device was made with. */
export function capabilitiesOf(source: GPUAdapter | GPUDevice): Capabilities {
  expectWebGpu(source);
  const info = 'adapterInfo' in source ? source.adapterInfo : source.info;
  const { vendor, architecture, device, description } = info;
  const isSoftware =
    info.isFallbackAdapter ||
    /llvmpipe|lavapipe|swiftshader/i.test(`${architecture} ${device} ${description}`);
  // WebGPU's widest range, where an implementation does not tell.
  const subgroupMinSize = info.subgroupMinSize || 4;
  const subgroupMaxSize = info.subgroupMaxSize || 128;
  return {
    vendor,
    architecture,
    device,
    description,
    isSoftware,
    family: isSoftware ? 'cpu' : 'alu',
    features: [...source.features].toSorted(),
    limits: Object.fromEntries(READ_LIMITS.map((name) => [name, source.limits[name]])) as Record<
      LimitName,
      number
    >,
    shaderF16: source.features.has('shader-f16'),
    subgroupMinSize,
    subgroupMaxSize,
    matrixConfigs: matrixConfigsOf(info),
  };
}

/** JavaScript hands on what `requestAdapter` gave, and its null. DeviceError. */
function expectWebGpu(source: GPUAdapter | GPUDevice | null | undefined): void {
  if (source) return;
  throw new DeviceError({
    what: 'there is no WebGPU here',
    needed: 'a GPUAdapter or a GPUDevice',
    got: String(source),
    remedy:
      'navigator.gpu is missing where a browser has no WebGPU and on pages that are neither https nor localhost; requestAdapter() gives null where the GPU or its driver is not supported.',
  });
}

/** As Dawn has them; WebGPU's types do not know them yet. */
interface MatrixInfo {
  readonly subgroupMatrixConfigs?: Iterable<{
    readonly componentType: string;
    readonly resultComponentType: string;
    readonly M: number;
    readonly N: number;
    readonly K: number;
  }>;
}

const matrixConfigsOf = ({ subgroupMatrixConfigs = [] }: GPUAdapterInfo & MatrixInfo) =>
  [...subgroupMatrixConfigs].map(
    ({ componentType, resultComponentType, M: m, N: n, K: k }): MatrixConfig => ({
      componentType,
      resultComponentType,
      m,
      n,
      k,
    }),
  );

/** What kernels are generated for. */
export const targetOf = (capabilities: Capabilities): Target => {
  const { family, shaderF16, features, subgroupMinSize, subgroupMaxSize } = capabilities;
  const { vendor, architecture } = capabilities;
  const isFixed = features.includes('subgroups') && subgroupMinSize === subgroupMaxSize;
  return {
    family,
    shaderF16,
    subgroupSize: isFixed ? subgroupMinSize : 0,
    adapter: { vendor, architecture },
  };
};

/**
 * What to request of an adapter so that everything it offers is used, together with what the caller's
 * `own` descriptor asks for. A device made otherwise works too, within its limits.
 */
export function requiredDevice(
  adapter: GPUAdapter,
  own: GPUDeviceDescriptor = {},
): GPUDeviceDescriptor {
  expectWebGpu(adapter);
  const limits: Record<string, GPUSize64 | undefined> = { ...own.requiredLimits };
  for (const name of RAISED_LIMITS)
    limits[name] = Math.max(adapter.limits[name], limits[name] ?? 0);
  const wanted = WANTED_FEATURES.filter((feature) => adapter.features.has(feature));
  return {
    ...own,
    requiredFeatures: [...new Set([...(own.requiredFeatures ?? []), ...wanted])],
    requiredLimits: limits,
  };
}

/** `Mesa llvmpipe (LLVM 15)` as vendor, architecture, device and description tell it. */
export const nameOf = ({ description, device, architecture, vendor }: Capabilities): string =>
  description || device || [vendor, architecture].filter(Boolean).join(' ') || 'unnamed adapter';

/**
 * Throws unless `bytes` for `what` fit the device: a whole buffer `maxBufferSize`, what one dispatch
 * binds of it `maxStorageBufferBindingSize`, which is often less.
 */
export function expectWithin(
  { limits }: Pick<Capabilities, 'limits'>,
  limit: 'maxBufferSize' | 'maxStorageBufferBindingSize',
  { what, bytes }: { readonly what: string; readonly bytes: number },
): void {
  if (bytes <= limits[limit]) return;
  throw new DeviceError({
    what: `${what} does not fit ${limit}`,
    needed: `${bytes} bytes`,
    got: `${limits[limit]} bytes`,
    remedy:
      'Try a smaller tile, precision f16 or another adapter; a device of your own may need the limits of requiredDevice(adapter).',
    isMemory: true,
  });
}
