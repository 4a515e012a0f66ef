/** Pictures of what was measured: `--html` writes the report, `--profile` a trace for Perfetto. */
import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { htmlReport, type ReportInput } from '../../bench/html-report.ts';
import type { ProfileRecord } from '../../bench/profile-record.ts';
import { traceOf } from '../../bench/trace.ts';
import type { PathOptions } from '../invsr/measure-path.ts';
import { InputError, reasonOf, WriteError } from './errors.ts';
import type { CommandContext } from './upscale.ts';

export interface HtmlFlags {
  readonly html?: string;
}

export interface ProfileFlags extends HtmlFlags {
  readonly profile?: string;
}

export const withHtmlFlag = (command: Command): Command =>
  command.option('--html <file>', 'a report with charts to open in a browser');

export const withProfileFlags = (command: Command): Command =>
  withHtmlFlag(command).option(
    '--profile <file>',
    'every dispatch of one run as a trace for ui.perfetto.dev',
  );

/** Before anything is measured: without timestamps there is no profile to write. */
export function expectProfiles(device: GPUDevice, { html, profile }: ProfileFlags): void {
  const flag = profile !== undefined ? '--profile' : html !== undefined ? '--html' : undefined;
  if (flag === undefined || device.features.has('timestamp-query')) return;
  throw new InputError(`${flag} needs timestamps, which this adapter does not have`);
}

export interface Profiles {
  readonly found: readonly ProfileRecord[];
  readonly onProfile: NonNullable<PathOptions['onProfile']>;
}

/** Of every precision that is measured. */
export function collectProfiles(
  facts: Pick<ProfileRecord, 'machine' | 'model' | 'tile'>,
): Profiles {
  const found: ProfileRecord[] = [];
  return {
    found,
    onProfile: (precision, dispatches) =>
      found.push({ bench: 'profile', ...facts, precision, dispatches }),
  };
}

export async function writeReports(
  input: ReportInput,
  { html, profile }: ProfileFlags,
  { reporter }: CommandContext,
): Promise<void> {
  const write = async (file: string, text: string): Promise<void> => {
    await writeFile(file, text).catch((error: unknown) => {
      throw new WriteError(`cannot write ${file}: ${reasonOf(error)}`);
    });
    reporter.note(`written: ${file}`);
  };
  if (html !== undefined) await write(html, htmlReport(input));
  if (profile !== undefined) {
    await write(profile, `${JSON.stringify(traceOf(input.profiles ?? []))}\n`);
  }
}
