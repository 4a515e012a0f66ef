/**
 * How work is cut into submits: by the kernels' own cost model and a rate that follows what the
 * device really does. Pure functions.
 *
 *   work(dispatch) = max(flops, 8 · bytes) + 10⁶
 *
 * in FLOP equivalents, so that memory-bound kernels count by their traffic and tiny ones by what a
 * dispatch costs to launch. Progress is counted in the same unit, which keeps the bar linear.
 */
import type { Target, Cost } from './kernel.ts';

const FLOPS_PER_BYTE = 8;
const WORK_PER_DISPATCH = 1e6;

export const workOf = ({ flops, bytes }: Cost): number =>
  Math.max(flops, FLOPS_PER_BYTE * bytes) + WORK_PER_DISPATCH;

export interface Pace {
  /** Milliseconds of device time per submit. */
  readonly budgetMs: number;
  /** First guess of work per millisecond; low, so that the first submit is never a long one. */
  readonly rate: number;
}

/**
 * On a GPU a submit must be short because the caller's frames wait behind it. On a CPU adapter they
 * wait for the cores anyway, and each submit costs a wake-up of the rasteriser's threads.
 */
export const PACE: Readonly<Record<Target['family'], Pace>> = {
  cpu: { budgetMs: 100, rate: 5e6 },
  alu: { budgetMs: 8, rate: 100e6 },
};

/** End (exclusive) of the submit that starts at `start`: at least one dispatch, at most `budget`. */
export function nextCut(work: readonly number[], start: number, budget: number): number {
  let end = start + 1;
  let sum = work[start] ?? 0;
  for (; end < work.length; end++) {
    sum += work[end] ?? 0;
    if (sum > budget) break;
  }
  return end;
}

/**
 * The rate after a submit of `work` took `milliseconds`: half way (in ratio) to the measured one,
 * and by at most a factor of four, since one submit may hold a single odd kernel.
 */
export function adaptRate(rate: number, work: number, milliseconds: number): number {
  const measured = work / Math.max(milliseconds, 0.05);
  return rate * Math.min(4, Math.max(0.25, Math.sqrt(measured / rate)));
}
