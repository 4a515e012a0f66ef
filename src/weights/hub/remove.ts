/**
 * What `remove` may delete: files that we fetched (record.ts), partial files of ours, an imported
 * folder. What Python fetched stays unless all is asked for, and so do blobs that another snapshot
 * links to.
 */
import { lstat, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cachedRepository, idOf, linkedIds, listOf, removeEmpty, sizeOf } from './cache.ts';
import { deleteError } from './error.ts';
import { importedFolder } from './local.ts';
import type { HubModel } from './models.ts';
import { PARTIAL } from './partial-file.ts';
import { readRecord, removeRecord } from './record.ts';
import type { HubSettings } from './settings.ts';

export interface Removal {
  /** Snapshots' files of the model that go, with the blob's id where it is a link. */
  readonly files: readonly Removed[];
  readonly partials: readonly string[];
  /** The imported model's folder. */
  readonly folder: string | undefined;
  /** Not ours, and kept. */
  readonly kept: readonly string[];
  readonly bytes: number;
}

export interface Removed {
  readonly repo: string;
  readonly commit: string;
  readonly path: string;
  readonly id: string | undefined;
}

/** `isAll`: whoever fetched them. */
export async function planRemoval(
  model: HubModel,
  settings: HubSettings,
  { isAll }: { readonly isAll: boolean },
): Promise<Removal> {
  const record = await readRecord(settings, model.name);
  const ours = new Set(record?.fetched.map((f) => `${f.repo}/${f.commit}/${f.path}`));
  const files: Removed[] = [];
  const partials: string[] = [];
  const kept: string[] = [];
  const sizes = new Map<string, number>();
  for (const { repo, parts } of model.sources) {
    const repository = cachedRepository(settings.cache, repo);
    for (const commit of await repository.commits()) {
      for (const path of parts.flatMap((part) => part.candidates)) {
        const place = repository.snapshot(commit, path);
        const size = await sizeOf(place);
        const id = await idOf(place);
        if (size === undefined && id === undefined) continue;
        if (!isAll && !ours.has(`${repo}/${commit}/${path}`)) {
          kept.push(place);
          continue;
        }
        files.push({ repo, commit, path, id });
        sizes.set(id === undefined ? place : repository.blob(id), size ?? 0);
      }
    }
    const blobs = join(repository.folder, 'blobs');
    for (const name of await listOf(blobs)) {
      if (name.includes(PARTIAL)) partials.push(join(blobs, name));
    }
  }
  const imported = importedFolder(settings, model);
  const folder = (await listOf(imported)).length > 0 ? imported : undefined;
  const bytes = [...sizes.values(), await bytesIn(imported)].reduce((a, b) => a + b, 0);
  return { files, partials, folder, kept, bytes };
}

/** Of the files in it; links count as what they are. */
async function bytesIn(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const infos = await Promise.all(names.map((name) => lstat(join(folder, name))));
  return infos.reduce((sum, info) => sum + (info.isFile() ? info.size : 0), 0);
}

export async function remove(
  model: HubModel,
  settings: HubSettings,
  removal: Removal,
): Promise<void> {
  const gone = async (path: string): Promise<void> => {
    try {
      await rm(path, { recursive: true, force: true });
    } catch (cause) {
      throw deleteError(path, cause);
    }
  };
  for (const partial of removal.partials) await gone(partial);
  for (const { repo, commit, path } of removal.files) {
    const repository = cachedRepository(settings.cache, repo);
    const place = repository.snapshot(commit, path);
    await gone(place);
    await removeEmpty(dirname(place), join(repository.folder, 'snapshots'));
  }
  for (const { repo } of model.sources) {
    const repository = cachedRepository(settings.cache, repo);
    const needed = await linkedIds(repository);
    for (const file of removal.files) {
      if (file.repo !== repo || file.id === undefined || needed.has(file.id)) continue;
      await gone(repository.blob(file.id));
    }
    await removeEmpty(join(repository.folder, 'blobs'), repository.folder);
    // Nothing but refs to commits that are gone.
    if ((await repository.commits()).length > 0) continue;
    if ((await listOf(join(repository.folder, 'blobs'))).length > 0) continue;
    await gone(repository.folder);
  }
  if (removal.folder !== undefined) await gone(removal.folder);
  await removeRecord(settings, model.name);
}
