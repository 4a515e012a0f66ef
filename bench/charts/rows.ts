/** What the charts say about rows of a record beyond their own fields. */
import type { KernelRow } from '../record.ts';
import { duration } from './scale.ts';

/** Milliseconds that one tile's path spends in the row's kernel. */
export const timeOf = ({ count, milliseconds, isPrepared }: KernelRow): number =>
  isPrepared ? 0 : count * milliseconds.median;

/** Of each row, of the time of all of them. */
export function sharesOf(rows: readonly KernelRow[]): number[] {
  const times = rows.map(timeOf);
  const total = times.reduce((sum, time) => sum + time, 0);
  return times.map((time) => (total > 0 ? time / total : 0));
}

/** How many times faster than the peer, by the medians; between the pessimist's and the optimist's. */
export interface PeerRatio {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** Ours is what ran in turns with the peer, where the record has it: the same work over the same tensors. */
export function peerRatio({ milliseconds, peer }: KernelRow): PeerRatio | undefined {
  if (!peer) return undefined;
  const ours = peer.ours ?? milliseconds;
  const { p10, median, p90 } = peer.milliseconds;
  return { median: median / ours.median, low: p10 / ours.p90, high: p90 / ours.p10 };
}

/** `conv2d 16384x512x4608` */
export const nameOf = ({ op, size }: Pick<KernelRow, 'op' | 'size'>): string => `${op} ${size}`;

export const describeRow = (row: KernelRow): string =>
  `${nameOf(row)}, ${row.network}, ${duration(row.milliseconds.median)}, ${Math.round(100 * row.ofCeiling)} % of the ceiling`;
