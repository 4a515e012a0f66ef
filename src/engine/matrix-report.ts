/** What becomes of every kind of subgroup matrices that an adapter lists: for people who look into it. */
import type { Capabilities, MatrixConfig } from './device.ts';
import type { SubgroupMatrix } from './kernel.ts';
import { isOf, matrixCandidates, whyNoCandidate } from './matrix-candidates.ts';
import { checkMatrices, type MatrixCheckOptions } from './matrix-check.ts';

export interface MatrixFinding extends MatrixConfig {
  /** What kernels would get; absent where they would not use it. */
  readonly used?: SubgroupMatrix;
  /** Why they would not. */
  readonly why?: string;
}

export interface ReportOptions extends Pick<MatrixCheckOptions, 'timeoutMs'> {
  /** Matrices are not used on this adapter, whatever a check would find. */
  readonly whyOff?: string | undefined;
  /** A device to check candidates on, which is destroyed then. */
  readonly open: () => Promise<GPUDevice>;
}

/** One finding for each of `matrixConfigs`, in their order. Never rejects: what `open` says is told. */
export async function reportMatrices(
  capabilities: Capabilities,
  { whyOff, open, timeoutMs }: ReportOptions,
): Promise<readonly MatrixFinding[]> {
  const candidates = whyOff === undefined ? matrixCandidates(capabilities) : [];
  const problems: { readonly matrix: SubgroupMatrix; readonly reason: string }[] = [];
  let used: SubgroupMatrix | undefined;
  let noDevice: string | undefined;
  if (candidates.length > 0) {
    const onProblem = (matrix: SubgroupMatrix, reason: string): void =>
      void problems.push({ matrix, reason });
    try {
      const device = await open();
      used = await checkMatrices(device, candidates, {
        ...(timeoutMs !== undefined && { timeoutMs }),
        onProblem,
      });
      device.destroy();
    } catch (error) {
      noDevice = `no device: ${String(error)}`;
    }
  }
  return capabilities.matrixConfigs.map((config) => {
    if (used && isOf(used, config)) return { ...config, used };
    const found = problems
      .filter(({ matrix }) => isOf(matrix, config))
      .map(({ matrix, reason }) => `subgroups of ${matrix.subgroupSize}: ${reason}`);
    const why =
      whyOff ??
      whyNoCandidate(capabilities, config) ??
      noDevice ??
      (found.join('; ') || (used ? 'a better one is right' : 'no answer in time'));
    return { ...config, why };
  });
}
