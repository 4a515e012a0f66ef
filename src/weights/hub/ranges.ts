/** Sets of bytes of a file as sorted, disjoint ranges [begin, end). */
export type Range = readonly [begin: number, end: number];
export type Ranges = readonly Range[];

export const lengthOf = (ranges: Ranges): number =>
  ranges.reduce((sum, [begin, end]) => sum + end - begin, 0);

/** With [begin, end) in it too; neighbours become one. */
export function add(ranges: Ranges, [begin, end]: Range): Ranges {
  if (begin >= end) return ranges;
  const before = ranges.filter(([, e]) => e < begin);
  const after = ranges.filter(([b]) => b > end);
  const touched = ranges.filter(([b, e]) => e >= begin && b <= end);
  const merged: Range = [
    Math.min(begin, ...touched.map(([b]) => b)),
    Math.max(end, ...touched.map(([, e]) => e)),
  ];
  return [...before, merged, ...after];
}

/** What is not in `ranges` of [0, size), cut where multiples of `piece` bytes lie. */
export function missing(ranges: Ranges, size: number, piece: number): Range[] {
  const gaps: Range[] = [];
  let at = 0;
  for (const [begin, end] of [...ranges, [size, size] as const]) {
    while (at < begin) {
      const next = Math.min(begin, (Math.floor(at / piece) + 1) * piece);
      gaps.push([at, next]);
      at = next;
    }
    at = end;
  }
  return gaps;
}

/** `value`, read from a file, is a set of ranges within [0, size). */
export function isRanges(value: unknown, size: number): value is Ranges {
  if (!Array.isArray(value)) return false;
  let last = -1;
  return value.every((range: unknown) => {
    if (!Array.isArray(range) || range.length !== 2) return false;
    const [begin, end] = range as unknown[];
    if (!Number.isSafeInteger(begin) || !Number.isSafeInteger(end)) return false;
    const ok = Number(begin) > last && Number(end) > Number(begin) && Number(end) <= size;
    last = Number(end);
    return ok;
  });
}
