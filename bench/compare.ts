/**
 * Two records of the same work side by side, with a verdict beyond noise: faster or slower only where
 * the ranges from the 10th to the 90th percentile do not meet and the medians differ by more than 3 %.
 * Rows are matched by id; rows that only one of the records has are counted, not compared.
 */
import type { Spread } from '../src/invsr/measure.ts';
import type { ClockFacts, Machine } from './record.ts';

/** Fewer samples say nothing about noise. */
const MIN_RUNS = 3;
const LEAST_DIFFERENCE = 0.03;

export type Verdict = 'faster' | 'slower' | 'same' | 'too few samples';

export function verdictOf(before: Spread, after: Spread): Verdict {
  if (Math.min(before.runs, after.runs) < MIN_RUNS) return 'too few samples';
  const meet = after.p10 <= before.p90 && before.p10 <= after.p90;
  const ratio = after.median / before.median;
  if (meet || Math.abs(ratio - 1) <= LEAST_DIFFERENCE) return 'same';
  return ratio < 1 ? 'faster' : 'slower';
}

/** Whatever was timed, by a name that both records have. */
export interface Timed {
  readonly id: string;
  readonly milliseconds: Spread;
}

/** What a record must say of itself to be compared. */
export interface Comparable {
  readonly machine: Machine;
  readonly rows: readonly Timed[];
  /** How time was read; a difference is told, because batches hide what single dispatches show. */
  readonly clock?: Pick<ClockFacts, 'kind'> | undefined;
  readonly tunedClasses?: number | undefined;
}

export interface ComparedRow {
  readonly id: string;
  readonly before: Spread;
  readonly after: Spread;
  /** Old time over new: 2 is twice as fast. */
  readonly speedup: number;
  readonly verdict: Verdict;
}

export interface Comparison {
  /** What the old record is of. */
  readonly with: Machine;
  readonly rows: readonly ComparedRow[];
  readonly counts: Readonly<Record<Verdict, number>>;
  readonly onlyBefore: number;
  readonly onlyAfter: number;
  /** What a reader must know before believing it. */
  readonly notes: readonly string[];
}

/** Why the two do not compare at all; undefined where they do. */
export function mismatchOf(before: Comparable, after: Comparable): string | undefined {
  const told = ({ machine }: Comparable): string =>
    [machine.adapter, machine.device, machine.vendor, machine.architecture]
      .filter(Boolean)
      .join(', ');
  if (told(before) === told(after)) return undefined;
  return `measured on ${told(before)}, but this is ${told(after)}`;
}

export function compareRecords(before: Comparable, after: Comparable): Comparison {
  const old = new Map(before.rows.map(({ id, milliseconds }) => [id, milliseconds]));
  const rows = after.rows.flatMap(({ id, milliseconds }): ComparedRow[] => {
    const then = old.get(id);
    if (!then) return [];
    return [
      {
        id,
        before: then,
        after: milliseconds,
        speedup: then.median / milliseconds.median,
        verdict: verdictOf(then, milliseconds),
      },
    ];
  });
  const count = (verdict: Verdict): number => rows.filter((row) => row.verdict === verdict).length;
  return {
    with: before.machine,
    rows,
    counts: {
      faster: count('faster'),
      slower: count('slower'),
      same: count('same'),
      'too few samples': count('too few samples'),
    },
    onlyBefore: before.rows.length - rows.length,
    onlyAfter: after.rows.length - rows.length,
    notes: notesOn(before, after),
  };
}

function notesOn(before: Comparable, after: Comparable): string[] {
  const differing = <T extends string | number>(
    what: string,
    a: T | undefined,
    b: T | undefined,
  ): string[] =>
    a === b || a === undefined || b === undefined ? [] : [`${what}: ${a} then, ${b} now`];
  const { machine: then } = before;
  const { machine: now } = after;
  return [
    ...[mismatchOf(before, after) ?? []].flat(),
    ...differing('Dawn', then.dawn, now.dawn),
    ...differing('Node', then.node, now.node),
    ...differing('processor', then.cpu, now.cpu),
    ...differing('clock', before.clock?.kind, after.clock?.kind),
    ...differing('tuned classes', before.tunedClasses, after.tunedClasses),
    ...(Math.max(then.load ?? 0, now.load ?? 0) > 1
      ? [`load of the machine: ${then.load} then, ${now.load} now; a busy machine moves times`]
      : []),
  ];
}
