/** How far a run is and how long it will take, told by the tiles so far. */

export interface Pace {
  /** Tiles, with fractions. */
  readonly done: number;
  readonly total: number;
  /** The first report with work done: what lies before it is compilation and upload. */
  readonly firstDone: number;
  readonly firstMs: number;
  readonly nowMs: number;
}

export const beginPace = (total: number, nowMs: number): Pace => ({
  done: 0,
  total,
  firstDone: 0,
  firstMs: nowMs,
  nowMs,
});

export function advance(
  pace: Pace,
  { done, total }: { done: number; total: number },
  nowMs: number,
): Pace {
  const isFirst = pace.done === 0 && done > 0;
  return {
    done,
    total,
    firstDone: isFirst ? done : pace.firstDone,
    firstMs: isFirst ? nowMs : pace.firstMs,
    nowMs,
  };
}

export const fractionOf = ({ done, total }: Pick<Pace, 'done' | 'total'>): number =>
  total > 0 ? Math.min(1, done / total) : 0;

/** Milliseconds left at the pace measured; null before there is one. */
export function remainingMs({ done, total, firstDone, firstMs, nowMs }: Pace): number | null {
  const measured = done - firstDone;
  if (measured <= 0 || nowMs <= firstMs) return null;
  return ((total - done) * (nowMs - firstMs)) / measured;
}

/** Rounded as people would say it; an estimate of less than a second is none. */
export function durationInWords(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 1) return 'a moment';
  if (seconds < 10) return `${seconds} s`;
  if (seconds < 60) return `${5 * Math.ceil(seconds / 5)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** What a screen reader is told: quarters only. undefined where nothing new is to be said. */
export function announcementOf(before: number, after: number): string | undefined {
  const quarter = Math.floor(after * 4);
  if (quarter === Math.floor(before * 4) || quarter < 1 || quarter > 3) return undefined;
  return `${quarter * 25} percent done`;
}

/** Decimal, as device makers count. */
export function bytesInWords(bytes: number): string {
  if (bytes < 1e6) return `${Math.ceil(bytes / 1e3)} kB`;
  if (bytes < 1e9) return `${Math.round(bytes / 1e6)} MB`;
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
