/**
 * A model on this machine, without a network: in the hub's cache, whoever fetched it, or imported
 * into `<HF_HOME>/invsr/<model>`.
 */
import { join } from 'node:path';
import type { Folder } from '../folder.ts';
import { mappedFolder, type Place } from '../mapped-folder.ts';
import { cachedRepository, idOf, sizeOf } from './cache.ts';
import { type Checksum, checksumOf } from './checksum.ts';
import { manifestFiles } from './manifest.ts';
import { type HubModel, type Source, targetOf } from './models.ts';
import { readManifest } from './plain-folder.ts';
import { invsrHome, type ModelRecord, readRecord } from './record.ts';
import type { HubSettings } from './settings.ts';

export interface LocalFile {
  /** In the model folder, e.g. `unet/config.json`. */
  readonly target: string;
  readonly path: string;
  readonly size: number;
  readonly checksum: Checksum | undefined;
}

export interface CachedCommit {
  readonly repo: string;
  readonly commit: string;
}

export interface LocalModel {
  readonly model: HubModel;
  /** Folders that its files are in. */
  readonly where: readonly string[];
  /** The snapshots of the hub's cache; none for an imported model. */
  readonly commits: readonly CachedCommit[];
  readonly files: readonly LocalFile[];
  /** Files that it needs and that are not there, as paths in the model folder. */
  readonly missing: readonly string[];
}

export const importedFolder = (settings: HubSettings, { name }: HubModel): string =>
  join(invsrHome(settings), name);

export async function findLocal(model: HubModel, settings: HubSettings): Promise<LocalModel> {
  const record = await readRecord(settings, model.name);
  const found = await Promise.all(
    model.sources.map((source) => bestSnapshot(source, settings, record)),
  );
  const cached: LocalModel = {
    model,
    where: found.filter((f) => f.files.length > 0).map((f) => f.folder),
    commits: found.flatMap((f) => f.commits),
    files: found.flatMap((f) => f.files),
    missing: found.flatMap((f) => f.missing),
  };
  if (cached.missing.length === 0) return cached;
  const imported = await findIn(model, importedFolder(settings, model));
  return imported.missing.length === 0 ? imported : cached;
}

/** The model in a folder of its own. */
export async function findIn(model: HubModel, folder: string): Promise<LocalModel> {
  const manifest = manifestFiles(await readManifest(folder));
  const files: LocalFile[] = [];
  for (const [target, { size, checksum }] of manifest) {
    const path = join(folder, target);
    if ((await sizeOf(path)) !== undefined) files.push({ target, path, size, checksum });
  }
  const there = new Set(files.map((file) => file.target));
  const missing =
    manifest.size === 0
      ? ['unet/config.json']
      : [...manifest.keys()].filter((target) => !there.has(target));
  return { model, where: files.length > 0 ? [folder] : [], commits: [], files, missing };
}

interface Snapshot {
  readonly folder: string;
  readonly commits: readonly CachedCommit[];
  readonly files: readonly LocalFile[];
  readonly missing: readonly string[];
}

/** The recorded commit, else that of `main`, else any that is complete, else the fullest. */
async function bestSnapshot(
  source: Source,
  { cache }: HubSettings,
  record: ModelRecord | undefined,
): Promise<Snapshot> {
  const { repo, parts } = source;
  const repository = cachedRepository(cache, repo);
  const recorded = record?.commits[repo];
  const commits = await repository.commits();
  const ordered = commits.toSorted((a, b) => Number(b === recorded) - Number(a === recorded));
  let best: Snapshot | undefined;
  for (const commit of ordered) {
    const files: LocalFile[] = [];
    const missing: string[] = [];
    for (const part of parts) {
      let isThere = false;
      for (const candidate of part.candidates) {
        const path = repository.snapshot(commit, candidate);
        const size = await sizeOf(path);
        if (size === undefined) continue;
        const known = record?.fetched.find((f) => f.commit === commit && f.path === candidate);
        const checksum = checksumOf((await idOf(path)) ?? known?.id ?? '');
        files.push({ target: targetOf(part, candidate), path, size, checksum });
        isThere = true;
        break;
      }
      const [wanted] = part.candidates;
      if (!isThere && part.isOptional !== true && wanted !== undefined) {
        missing.push(targetOf(part, wanted));
      }
    }
    const commits = [{ repo, commit }];
    const found = { folder: repository.snapshot(commit, ''), commits, files, missing };
    if (missing.length === 0) return found;
    if (best === undefined || missing.length < best.missing.length) best = found;
  }
  const missing = parts.flatMap(({ isOptional, folder, candidates: [first] }) =>
    isOptional === true || first === undefined
      ? []
      : [targetOf({ folder, candidates: [first] }, first)],
  );
  return best ?? { folder: repository.folder, commits: [], files: [], missing };
}

/** As one model folder, with the files that no repository has. */
export function localFolder({ model, files }: LocalModel): Folder {
  const places = new Map<string, Place>();
  for (const [target, text] of model.own) places.set(target, { text });
  for (const { target, path } of files) places.set(target, { file: path });
  return mappedFolder(model.name, places);
}
