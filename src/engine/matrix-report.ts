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
  /** With subgroups of each size that might do, the best first, up to one that does not answer; none where it is not worth a try. */
  readonly trials: readonly MatrixTrial[];
}

export interface MatrixTrial {
  readonly subgroupSize: number;
  /** Absent where it multiplies rightly. */
  readonly problem?: string;
}

export interface ReportOptions extends Pick<MatrixCheckOptions, 'timeoutMs'> {
  /** Matrices are not used on this adapter, whatever a check would find. */
  readonly whyOff?: string | undefined;
  /** A device to try them on, where there are any. */
  readonly open: () => Promise<GPUDevice>;
}

const NO_ANSWER = 'no answer in time';

interface Tried {
  readonly matrix: SubgroupMatrix;
  readonly trial: MatrixTrial;
}

/** One finding for each of `matrixConfigs`, in their order. Never rejects: what `open` says is told. */
export async function reportMatrices(
  capabilities: Capabilities,
  { whyOff, open, timeoutMs }: ReportOptions,
): Promise<readonly MatrixFinding[]> {
  const candidates = whyOff === undefined ? matrixCandidates(capabilities) : [];
  const tried: Tried[] = [];
  let noDevice: string | undefined;
  if (candidates.length > 0) {
    try {
      const device = await open();
      for (const matrix of candidates) {
        const one = await tryOut(device, matrix, timeoutMs);
        tried.push(one);
        if (one.trial.problem === NO_ANSWER) break; // it hangs, and so would the next
      }
    } catch (error) {
      noDevice = `no device: ${String(error)}`;
    }
  }
  const used = tried.find(({ trial }) => isRight(trial))?.matrix;
  return capabilities.matrixConfigs.map((config): MatrixFinding => {
    const trials = tried.flatMap(({ matrix, trial }) => (isOf(matrix, config) ? [trial] : []));
    if (used && isOf(used, config)) return { ...config, used, trials };
    const why =
      whyOff ??
      whyNoCandidate(capabilities, config) ??
      (trials.length > 0 ? inWords(trials) : (noDevice ?? 'not tried: one before gave no answer'));
    return { ...config, why, trials };
  });
}

async function tryOut(
  device: GPUDevice,
  matrix: SubgroupMatrix,
  timeoutMs: number | undefined,
): Promise<Tried> {
  const { subgroupSize } = matrix;
  let problem = NO_ANSWER;
  const found = await checkMatrices(device, [matrix], {
    ...(timeoutMs !== undefined && { timeoutMs }),
    onProblem(_, reason) {
      problem = reason;
    },
  });
  return { matrix, trial: found ? { subgroupSize } : { subgroupSize, problem } };
}

const isRight = ({ problem }: MatrixTrial): boolean => problem === undefined;

const inWords = (trials: readonly MatrixTrial[]): string =>
  trials.some(isRight)
    ? 'a better one is right'
    : trials
        .map(({ subgroupSize, problem }) => `subgroups of ${subgroupSize}: ${problem}`)
        .join('; ');
