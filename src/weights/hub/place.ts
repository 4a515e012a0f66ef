/** Where a pulled model goes: the hub's cache, or a folder of its own. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type CachedRepository, cachedRepository, sizeOf } from './cache.ts';
import { diskError } from './error.ts';
import type { HubModel } from './models.ts';
import { PARTIAL, removePartial } from './partial-file.ts';
import { readManifest, writeManifest } from './plain-folder.ts';
import { type FetchedFile, invsrHome, readRecord, writeRecord } from './record.ts';
import type { RemoteFile } from './repository.ts';
import type { HubSettings } from './settings.ts';

/** A file of the hub with its place in the model. */
export interface Item {
  readonly remote: RemoteFile;
  readonly commit: string;
  /** In the model folder. */
  readonly target: string;
}

export interface Place {
  /** For people, and for its file system's free space. */
  readonly folder: string;
  /** Where two pulls at once are told apart. */
  readonly lock: string;
  /** A file of the right size that serves, as it is or as a copy; not checked further. */
  find(item: Item): Promise<Found | undefined>;
  partial(item: Item): string;
  /** The partial is whole and right: moves it to where it belongs. */
  settle(item: Item): Promise<void>;
  /** Makes what `find` found a part of the model. */
  adopt(item: Item, found: Found): Promise<void>;
  /** All files are there. */
  finish(items: readonly Item[], revisions: readonly Revision[]): Promise<void>;
}

export interface Found {
  readonly path: string;
  /** It lies elsewhere and would be copied. */
  readonly isElsewhere: boolean;
}

export interface Revision {
  readonly repo: string;
  readonly revision: string;
  readonly commit: string;
}

export function cachePlace(settings: HubSettings, model: HubModel): Place {
  const { cache } = settings;
  const of = ({ repo }: RemoteFile): CachedRepository => cachedRepository(cache, repo);
  let recording = Promise.resolve();
  const note = (change: (fetched: readonly FetchedFile[]) => object): Promise<void> => {
    // One after another: each starts from what the one before wrote.
    recording = recording.then(async () => {
      const old = await readRecord(settings, model.name);
      const { commits = {}, fetched = [] } = old ?? {};
      await writeRecord(settings, model.name, { cache, commits, fetched, ...change(fetched) });
    });
    return recording;
  };
  return {
    folder: cache,
    lock: join(invsrHome(settings), `${model.name}.lock`),
    find: async ({ remote, commit }) => {
      const repository = of(remote);
      for (const path of [repository.blob(remote.id), repository.snapshot(commit, remote.path)]) {
        if ((await sizeOf(path)) === remote.size) return { path, isElsewhere: false };
      }
      return undefined;
    },
    partial: ({ remote }) => of(remote).partial(remote.id),
    settle: async ({ remote, commit }) => {
      const repository = of(remote);
      await move(repository.partial(remote.id), repository.blob(remote.id));
      await repository.link(commit, remote.path, remote.id);
      await note((fetched) => ({ fetched: withFile(fetched, remote, commit) }));
    },
    adopt: async ({ remote, commit }, { path }) => {
      const repository = of(remote);
      if (path !== repository.blob(remote.id)) return; // the snapshot's own, where links fail
      await repository.link(commit, remote.path, remote.id);
      // Bytes of ours under a newer commit are ours there too; Python's stay Python's.
      await note((fetched) =>
        fetched.some((f) => f.repo === remote.repo && f.id === remote.id)
          ? { fetched: withFile(fetched, remote, commit) }
          : {},
      );
    },
    finish: async (_, revisions) => {
      for (const { repo, revision, commit } of revisions) {
        await cachedRepository(cache, repo).writeRef(revision, commit);
      }
      await note(() => ({ commits: commitsOf(revisions) }));
    },
  };
}

function withFile(
  fetched: readonly FetchedFile[],
  { repo, path, size, id }: RemoteFile,
  commit: string,
): readonly FetchedFile[] {
  const others = fetched.filter((f) => f.repo !== repo || f.commit !== commit || f.path !== path);
  return [...others, { repo, commit, path, size, id }];
}

const commitsOf = (revisions: readonly Revision[]): Record<string, string> =>
  Object.fromEntries(revisions.map(({ repo, commit }) => [repo, commit]));

export function folderPlace(folder: string, settings: HubSettings, model: HubModel): Place {
  const final = (item: Item): string => join(folder, item.target);
  return {
    folder,
    lock: join(folder, `.invsr-pull.lock`),
    find: async (item) => {
      const { remote } = item;
      const cached = cachedRepository(settings.cache, remote.repo);
      for (const [path, isElsewhere] of [
        [final(item), false],
        [cached.blob(remote.id), true],
        [cached.snapshot(item.commit, remote.path), true],
      ] as const) {
        if ((await sizeOf(path)) === remote.size) return { path, isElsewhere };
      }
      return undefined;
    },
    partial: (item) => `${final(item)}${PARTIAL}`,
    settle: (item) => move(`${final(item)}${PARTIAL}`, final(item)),
    adopt: async (item, { path, isElsewhere }) => {
      if (isElsewhere) await copyTo(path, final(item));
    },
    finish: async (items, revisions) => {
      const own = [...model.own].map(([target, text]) => [target, sizeAndId(text)] as const);
      for (const [target, text] of model.own) await writeOwn(join(folder, target), text);
      const old = await readManifest(folder);
      const files = items.map(
        ({ target, remote: { size, id } }) => [target, { size, id }] as const,
      );
      await writeManifest(folder, {
        model: model.name,
        commits: commitsOf(revisions),
        files: { ...old?.files, ...Object.fromEntries([...files, ...own]) },
      });
    },
  };
}

async function move(partial: string, place: string): Promise<void> {
  try {
    await rename(partial, place);
    await removePartial(partial);
  } catch (cause) {
    throw diskError(place, cause);
  }
}

/** A copy, sharing blocks where the file system can; whole or not at all. */
export async function copyTo(from: string, to: string): Promise<void> {
  const fresh = `${to}${PARTIAL}`;
  try {
    await mkdir(dirname(to), { recursive: true });
    await copyFile(from, fresh, constants.COPYFILE_FICLONE);
    await rename(fresh, to);
  } catch (cause) {
    await rm(fresh, { force: true });
    throw diskError(to, cause);
  }
}

const sizeAndId = (text: string) => ({
  size: Buffer.byteLength(text),
  id: createHash('sha256').update(text).digest('hex'),
});

async function writeOwn(path: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  } catch (cause) {
    throw diskError(path, cause);
  }
}
