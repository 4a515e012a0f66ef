/**
 * A record read back for --compare: whatever the file holds is looked at before it is believed. Files
 * are what --out appends to (a record a line; the last of the wanted kind counts) or what --json printed.
 */
import type { Comparable, Timed } from './compare.ts';
import type { ClockFacts } from './record.ts';

/** What a bench was asked for cannot be, or a file for it is not what it should be. */
export class BenchInputError extends Error {
  override readonly name = 'BenchInputError';
}

export type BenchName = 'kernels' | 'networks' | 'model' | 'load' | 'encode';

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null;

/** `file` is its name, for messages. */
export function readComparable(text: string, bench: BenchName, file: string): Comparable {
  const records = readRecords(text, file);
  const wanted = records.findLast((record) => record['bench'] === bench);
  if (!wanted) {
    const told = records.map(({ bench: name }) => (typeof name === 'string' ? name : 'no bench'));
    const names = [...new Set(told)];
    throw new BenchInputError(
      `${file} has no record of bench ${bench}, but of ${names.join(', ') || 'nothing'}; write one with --out`,
    );
  }
  const damaged = (what: string): BenchInputError =>
    new BenchInputError(`${file} is damaged: its record of bench ${bench} has ${what}`);
  const { machine } = wanted;
  if (!isObject(machine) || typeof machine['adapter'] !== 'string') {
    throw damaged('no machine it was measured on');
  }
  const { rows, clock, tunedClasses } = wanted;
  if (!Array.isArray(rows)) throw damaged('no rows');
  const bad = rows.findIndex((row) => !isTimed(row));
  if (bad >= 0) throw damaged(`no times in row ${bad + 1}`);
  return {
    machine: machine as unknown as Comparable['machine'],
    rows: rows as Timed[],
    ...(typeof tunedClasses === 'number' && { tunedClasses }),
    ...(isObject(clock) && { clock: clock as unknown as Pick<ClockFacts, 'kind'> }),
  };
}

/** All records of a file, whatever they are of. */
export function readRecords(text: string, file: string): Json[] {
  const tryParse = (json: string): unknown => {
    try {
      return JSON.parse(json) as unknown;
    } catch {
      return undefined;
    }
  };
  const whole = tryParse(text);
  if (isObject(whole)) return [whole];
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const values = lines.map((line) => [line, tryParse(line)] as const);
  const broken = values.findIndex(([, value]) => !isObject(value));
  if (lines.length === 0) throw new BenchInputError(`${file} is empty`);
  if (broken >= 0) {
    throw new BenchInputError(
      `${file} is no record of a bench: line ${broken + 1} is not a JSON object`,
    );
  }
  return values.flatMap(([, value]) => (isObject(value) ? [value] : []));
}

function isTimed(row: unknown): row is Timed {
  if (!isObject(row) || typeof row['id'] !== 'string') return false;
  const { milliseconds } = row;
  return (
    isObject(milliseconds) &&
    ['p10', 'median', 'p90', 'runs'].every((name) => {
      const value = milliseconds[name];
      return typeof value === 'number' && value > 0;
    })
  );
}
