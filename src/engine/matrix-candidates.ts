/**
 * Which of the subgroup matrices that an adapter lists are worth a try, and with subgroups of which size.
 *
 *   NVIDIA   f16 16x16x16   subgroups of 32
 *   Intel    f16 8x16x16    of 8 to 32, as the compiler chooses for each kernel
 *   AMD      f16 16x16x16   of 32 or 64, the same
 *   Apple    f32 8x8x8      of 32; its f16 has no f32 sums
 *
 * Kernels share work out by subgroups, so they must know their size. Where a device has one only, it is
 * that. Where compilers choose, kernels ask for one, with `@subgroup_size`: Dawn then wants workgroups
 * of whole subgroups of that size, else of the device's largest. Metal has no such attribute, and older
 * versions of Dawn tell 4 to 64 for all of its devices; but Apple's GPUs have one size in hardware, which newer
 * versions tell (https://github.com/google/dawn/blob/1022726df1c5ccafb3d33bb6c93e11bef172a6f8/src/dawn/native/metal/PhysicalDeviceMTL.mm),
 * so what the check sees in its own shader (matrix-check.ts) holds for every other. That would prove nothing
 * on devices whose compilers choose: without the attribute, matrices stay off there.
 */
import { type Capabilities, MATRIX_FEATURE, type MatrixConfig, SIZE_FEATURE } from './device.ts';
import type { MatrixShape, SubgroupMatrix } from './kernel.ts';

type Kind = MatrixShape & Pick<SubgroupMatrix, 'component'>;

/** What kernels are written for, the best first. */
const KINDS: readonly Kind[] = [
  { m: 16, n: 16, k: 16, component: 'f16' },
  { m: 8, n: 16, k: 16, component: 'f16' },
  { m: 8, n: 8, k: 8, component: 'f32' },
];

/** What kernels take of a workgroup. */
export const MATRIX_THREADS = 128;
const SHARED_BYTES = 32_768;
/** What most GPUs have comes first. */
const SUBGROUP_SIZES = [32, 16, 64] as const;

/** The best first: each is to be checked before use. */
export function matrixCandidates(capabilities: Capabilities): readonly SubgroupMatrix[] {
  if (lackOf(capabilities) !== undefined) return [];
  const { matrixConfigs, subgroupMinSize, subgroupMaxSize } = capabilities;
  const isPinned = subgroupMinSize !== subgroupMaxSize && !isApple(capabilities);
  const sizes = SUBGROUP_SIZES.filter((n) => n >= subgroupMinSize && n <= subgroupMaxSize);
  return KINDS.filter((kind) =>
    matrixConfigs.some((config) => isOf(kind, config) && !lacksF16(kind, capabilities)),
  ).flatMap((kind) => sizes.map((subgroupSize) => ({ ...kind, subgroupSize, isPinned })));
}

/** Why a kind that the adapter lists is no candidate; undefined where it is one. */
export function whyNoCandidate(
  capabilities: Capabilities,
  config: MatrixConfig,
): string | undefined {
  const kind = KINDS.find((one) => isOf(one, config));
  if (!kind) return 'no kernels for it';
  return lackOf(capabilities) ?? lacksF16(kind, capabilities);
}

/** Whether what an adapter lists is of this kind, with f32 sums. */
export const isOf = ({ m, n, k, component }: Kind, config: MatrixConfig): boolean =>
  config.m === m &&
  config.n === n &&
  config.k === k &&
  config.componentType === component &&
  config.resultComponentType === 'f32';

const isApple = ({ vendor }: Capabilities): boolean => vendor === 'apple';

const lacksF16 = ({ component }: Kind, { features }: Capabilities): string | undefined =>
  component === 'f16' && !features.includes('shader-f16') ? 'no shader-f16' : undefined;

/** What all kinds need. */
function lackOf(capabilities: Capabilities): string | undefined {
  const { features, limits, subgroupMinSize: least, subgroupMaxSize: most } = capabilities;
  const missing = [MATRIX_FEATURE, 'subgroups'].find((name) => !features.includes(name));
  if (missing !== undefined) return `no ${missing}`;
  const knowsSize = least === most || features.includes(SIZE_FEATURE) || isApple(capabilities);
  if (!knowsSize) return `subgroups of ${least} to ${most}, and no ${SIZE_FEATURE}`;
  if (!SUBGROUP_SIZES.some((n) => n >= least && n <= most))
    return `subgroups of ${least === most ? most : `${least} to ${most}`}`;
  const { maxComputeWorkgroupStorageSize: shared, maxComputeInvocationsPerWorkgroup: threads } =
    limits;
  if (shared < SHARED_BYTES) return `${shared} bytes of shared memory, not ${SHARED_BYTES}`;
  return threads < MATRIX_THREADS
    ? `workgroups of ${threads} invocations, not ${MATRIX_THREADS}`
    : undefined;
}
