/**
 * huggingface_hub's cache, so that Python finds our files and we find Python's:
 *
 *   <cache>/models--<owner>--<name>/
 *     blobs/<id>                      the bytes, named by ETag
 *     snapshots/<commit>/<path>       relative symbolic links to them; the files themselves where
 *                                     links cannot be made (Windows without developer mode)
 *     refs/<branch or tag>            the commit it stood for
 *
 * Files on their way are blobs/<id>.invsr-part (partial-file.ts).
 */
import {
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { codeOf } from '../reason.ts';
import { diskError } from './error.ts';
import { PARTIAL } from './partial-file.ts';

export interface CachedRepository {
  readonly folder: string;
  blob(id: string): string;
  partial(id: string): string;
  snapshot(commit: string, path: string): string;
  /** The commit that a branch or tag stood for when it was last fetched; a commit is itself. */
  commitOf(revision: string): Promise<string | undefined>;
  /** Commits with a snapshot, the one of `main` first. */
  commits(): Promise<readonly string[]>;
  /** Makes the blob the snapshot's file; where links cannot be made it moves there. */
  link(commit: string, path: string, id: string): Promise<void>;
  writeRef(revision: string, commit: string): Promise<void>;
}

const isCommit = (text: string): boolean => /^[0-9a-f]{40}$/.test(text);

export function cachedRepository(cache: string, repo: string): CachedRepository {
  const folder = join(cache, `models--${repo.split('/').join('--')}`);
  const at = (...parts: readonly string[]): string => join(folder, ...parts);
  const commitOf = async (revision: string): Promise<string | undefined> => {
    if (isCommit(revision)) return revision;
    const text = await readFile(at('refs', revision), 'utf8').catch(() => '');
    return isCommit(text.trim()) ? text.trim() : undefined;
  };
  const blob = (id: string): string => at('blobs', id);
  const snapshot = (commit: string, path: string): string => at('snapshots', commit, path);
  return {
    folder,
    blob,
    snapshot,
    partial: (id) => blob(`${id}${PARTIAL}`),
    commitOf,
    commits: async () => {
      const found = (await listOf(at('snapshots'))).filter(isCommit);
      const main = await commitOf('main');
      return found.toSorted((a, b) => Number(b === main) - Number(a === main));
    },
    link: async (commit, path, id) => {
      const place = snapshot(commit, path);
      try {
        await mkdir(dirname(place), { recursive: true });
        const target = relative(dirname(place), blob(id));
        if ((await readlink(place).catch(() => '')) === target) return;
        await replaceByLink(place, target, blob(id));
      } catch (cause) {
        throw diskError(place, cause);
      }
    },
    writeRef: async (revision, commit) => {
      if (isCommit(revision)) return;
      const place = at('refs', revision);
      try {
        await mkdir(dirname(place), { recursive: true });
        await writeFile(place, commit);
      } catch (cause) {
        throw diskError(place, cause);
      }
    },
  };
}

async function replaceByLink(place: string, target: string, blob: string): Promise<void> {
  const fresh = `${place}.${process.pid}${PARTIAL}`;
  await rm(fresh, { force: true });
  try {
    await symlink(target, fresh);
  } catch (error) {
    if (!['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'].includes(codeOf(error))) throw error;
    await rename(blob, place);
    return;
  }
  await rename(fresh, place);
}

/** The blob's id behind a snapshot's file; undefined where it is a plain file. */
export async function idOf(path: string): Promise<string | undefined> {
  const target = await readlink(path).catch(() => undefined);
  return target === undefined ? undefined : basename(target);
}

/** Bytes of the file, links followed; undefined where it is not there (a link may dangle). */
export async function sizeOf(path: string): Promise<number | undefined> {
  const info = await stat(path).catch(() => undefined);
  return info?.isFile() === true ? info.size : undefined;
}

export const listOf = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);

/** Ids that any snapshot of the repository links to. */
export async function linkedIds({ folder }: CachedRepository): Promise<ReadonlySet<string>> {
  const ids = new Set<string>();
  const root = join(folder, 'snapshots');
  for (const name of await readdir(root, { recursive: true }).catch(() => [])) {
    const path = join(root, name);
    const info = await lstat(path).catch(() => undefined);
    const id = info?.isSymbolicLink() === true ? await idOf(path) : undefined;
    if (id !== undefined) ids.add(id);
  }
  return ids;
}

/** Removes `folder` and those above it, up to and without `root`, as long as they are empty. */
export async function removeEmpty(folder: string, root: string): Promise<void> {
  for (let at = folder; at !== root && at.startsWith(root); at = dirname(at)) {
    if ((await listOf(at)).length > 0) return;
    await rm(at, { recursive: true, force: true });
  }
}
