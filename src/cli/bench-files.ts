/** Pictures of what was measured: `--html` writes the report, `--profile` a trace for Perfetto. Loaded when asked for. */
import { access, constants, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { htmlReport, type ReportInput } from '../../bench/html-report.ts';
import type { ProfileRecord } from '../../bench/profile-record.ts';
import { traceOf } from '../../bench/trace.ts';
import type { Machine } from '../../bench/record.ts';
import type { EngineContext } from '../engine/context.ts';
import { isMeasured, type PathOptions, profilePath } from '../invsr/measure-path.ts';
import { openModel } from '../invsr/model.ts';
import type { ReportFlags } from './bench-output.ts';
import { InputError, reasonOf, WriteError } from './errors.ts';
import { modelFolder } from './models.ts';
import type { CommandContext } from './progress.ts';

/** Before anything is measured: files that cannot be written, timestamps that are not there. */
export async function expectReports(
  device: GPUDevice,
  { html, profile }: ReportFlags,
): Promise<void> {
  for (const file of [html, profile]) {
    if (file === undefined) continue;
    await access(dirname(file), constants.W_OK).catch((error: unknown) => {
      throw new WriteError(`cannot write ${file}: ${reasonOf(error)}`);
    });
  }
  if (profile === undefined || device.features.has('timestamp-query')) return;
  throw new InputError('--profile needs timestamps, which this adapter does not have');
}

interface ProfileOptions {
  readonly machine: Machine;
  readonly model: string;
  readonly tile: number;
  readonly precision: 'f16' | 'f32';
}

/** One run of a model's path, beside a bench of kernels; nothing where there are no timestamps. */
export async function profileOnce(
  context: EngineContext,
  { precision, ...facts }: ProfileOptions,
  { reporter, signal }: CommandContext,
): Promise<readonly ProfileRecord[]> {
  if (!context.device.features.has('timestamp-query')) return [];
  const model = await openModel(await modelFolder(facts.model));
  try {
    const dispatches = await profilePath(context, model, {
      precision,
      tile: facts.tile,
      timesteps: [200],
      signal,
      onProgress: (text) => reporter.note(`${facts.model}, ${text}`),
    });
    if (isMeasured(dispatches)) return [{ bench: 'profile', ...facts, precision, dispatches }];
    reporter.warning("the device's timestamps stand still: there is no profile", {});
    return [];
  } finally {
    await model.close();
  }
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
  { html, profile }: ReportFlags,
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
