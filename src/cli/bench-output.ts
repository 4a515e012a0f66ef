/** What every bench does with its record: --out, --compare, --json or a table. */
import { appendFile, readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import {
  type Comparable,
  type Comparison,
  compareRecords,
  mismatchOf,
} from '../../bench/compare.ts';
import { comparisonLines } from '../../bench/kernel-report.ts';
import { type BenchName, readComparable } from '../../bench/read-record.ts';
import type { NodeDevice } from '../engine/node-device.ts';
import { type OpenedContext, openContext } from './context.ts';
import { InputError, reasonOf, WriteError } from './errors.ts';
import { choice } from './options.ts';
import type { CommandContext } from './progress.ts';

export interface OutputFlags {
  readonly json?: boolean;
  readonly out?: string;
  readonly compare?: string;
  readonly compareAnyway?: boolean;
}

export interface DeviceFlags {
  readonly adapter: string;
  readonly precision: 'auto' | 'f16' | 'f32';
  /** False: designs as they are shipped or guessed, whatever was tuned here. */
  readonly tuned: boolean;
}

/** Where the commands run from, and who adds to them. */
export interface BenchHost {
  /** The code that is measured. */
  readonly commit: string;
}

export const withDeviceFlags = (command: Command): Command =>
  command
    .option('--adapter <name>', 'auto, software, or part of an adapter name', 'auto')
    .option('--no-tuned', 'without the designs that invsr tune found on this adapter')
    .addOption(
      choice(
        '--precision <kind>',
        'storage of activations; auto: f16 where the adapter can',
        ['auto', 'f16', 'f32'],
        'auto',
      ),
    );

export const withOutputFlags = (command: Command): Command =>
  command
    .option('--json', 'the record as one JSON object on stdout')
    .option('--out <file>', 'append the record to a file, one line per bench')
    .option(
      '--compare <file>',
      'say what became faster or slower since a record of --out or --json',
    )
    .option('--compare-anyway', 'even if it is of another adapter or driver');

/** What bench-files.ts writes. */
export interface ReportFlags {
  readonly html?: string;
  readonly profile?: string;
}

export const withReportFlags = (command: Command): Command =>
  command
    .option('--html <file>', 'a report with charts to open in a browser')
    .option(
      '--profile <file>',
      "every dispatch of one run of the model's path, for ui.perfetto.dev",
    );

/** As other commands open it, and its lines for the user. */
export const openBench = (
  made: NodeDevice,
  { tuned }: Pick<DeviceFlags, 'tuned'>,
): Promise<OpenedContext> => openContext(made, { tuned });

/** Read before anything is measured: a wrong file should not cost minutes. */
export async function readBefore(
  { compare }: OutputFlags,
  bench: BenchName,
): Promise<Comparable | undefined> {
  if (compare === undefined) return undefined;
  const text = await readFile(compare, 'utf8').catch((error: unknown) => {
    throw new InputError(`cannot read --compare ${compare}: ${reasonOf(error)}`);
  });
  return readComparable(text, bench, compare);
}

/** Throws where the old record is of another adapter or driver; as soon as the adapter is known. */
export function expectComparable(
  before: Comparable | undefined,
  after: Pick<Comparable, 'machine'>,
  { compare = '', compareAnyway = false }: OutputFlags,
): void {
  const mismatch = before && mismatchOf(before, { ...after, rows: [] });
  if (mismatch === undefined || compareAnyway) return;
  throw new InputError(
    `${compare} was ${mismatch}: times do not compare; --compare-anyway compares them nevertheless`,
  );
}

export interface Told {
  readonly record: { readonly bench: BenchName } & Comparable;
  /** The table, made when it is wanted. */
  readonly lines: () => string[];
}

export async function give(
  { record, lines }: Told,
  before: Comparable | undefined,
  { json = false, out }: OutputFlags,
  { reporter }: CommandContext,
): Promise<void> {
  const comparison: Comparison | undefined = before && compareRecords(before, record);
  if (out !== undefined) {
    await appendFile(out, `${JSON.stringify(record)}\n`).catch((error: unknown) => {
      throw new WriteError(`cannot write --out ${out}: ${reasonOf(error)}`);
    });
  }
  const text = json ? [] : [...lines(), ...(comparison ? comparisonLines(comparison) : [])];
  reporter.result({ ...record, ...(comparison && { comparison }) }, text);
}
