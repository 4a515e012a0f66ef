/**
 * One profiled run of a model's whole path, as plain data: every dispatch with its layer, when it ran
 * and for how long. What --profile writes as a trace, and what the timeline of the HTML report draws.
 */
import type { DispatchTiming } from '../src/engine/profiler.ts';
import type { Machine } from './record.ts';

export interface ProfileRecord {
  readonly bench: 'profile';
  readonly machine: Pick<Machine, 'adapter' | 'date' | 'commit'> & Partial<Machine>;
  readonly model: string;
  /** Side in input pixels. */
  readonly tile: number;
  readonly precision: 'f16' | 'f32';
  /** In the order of the plan. */
  readonly dispatches: readonly DispatchTiming[];
}

/** When the last dispatch was done, nanoseconds after the first began. */
export const endOf = (dispatches: readonly DispatchTiming[]): number =>
  dispatches.reduce((end, { begin, nanoseconds }) => Math.max(end, begin + nanoseconds), 0);
