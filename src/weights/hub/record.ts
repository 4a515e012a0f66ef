/**
 * What we fetched, in `<HF_HOME>/invsr/<model>.json`: the commits that the model's name stands for
 * now, and every file that we, not Python, put into the cache, with size and checksum.
 *
 * A model without a record is still found (Python fetched it); only `remove` has nothing to remove.
 */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { diskError } from './error.ts';
import type { HubSettings } from './settings.ts';

export interface FetchedFile {
  readonly repo: string;
  readonly commit: string;
  readonly path: string;
  readonly size: number;
  readonly id: string;
}

export interface ModelRecord {
  /** The hub cache that it speaks of. */
  readonly cache: string;
  /** Repository → commit. */
  readonly commits: Readonly<Record<string, string>>;
  readonly fetched: readonly FetchedFile[];
}

export const invsrHome = ({ home }: HubSettings): string => join(home, 'invsr');
const recordFile = (settings: HubSettings, model: string): string =>
  join(invsrHome(settings), `${model}.json`);

/** Of this cache; undefined where there is none or it cannot be read. */
export async function readRecord(
  settings: HubSettings,
  model: string,
): Promise<ModelRecord | undefined> {
  try {
    const text = await readFile(recordFile(settings, model), 'utf8');
    const record = JSON.parse(text) as ModelRecord;
    const isWhole =
      record.cache === settings.cache &&
      typeof record.commits === 'object' &&
      Array.isArray(record.fetched);
    return isWhole ? record : undefined;
  } catch {
    return undefined;
  }
}

export async function writeRecord(
  settings: HubSettings,
  model: string,
  record: ModelRecord,
): Promise<void> {
  const file = recordFile(settings, model);
  await writeJson(file, record);
}

export const removeRecord = (settings: HubSettings, model: string): Promise<void> =>
  rm(recordFile(settings, model), { force: true });

/** Whole or not at all. */
export async function writeJson(file: string, value: unknown): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    const fresh = `${file}.${process.pid}.new`;
    await writeFile(fresh, `${JSON.stringify(value, null, 2)}\n`);
    await rename(fresh, file);
  } catch (cause) {
    throw diskError(file, cause);
  }
}
