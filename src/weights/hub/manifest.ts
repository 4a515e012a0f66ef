/**
 * `invsr-manifest.json` in a model's folder: its files with sizes and checksums, because nothing else
 * would tell them later. Written by `pull --to` and `--from` (plain-folder.ts); browsers read it from
 * a server (../browser/remote-model.ts).
 */
import { CheckpointError } from '../error.ts';
import { type Checksum, checksumOf } from './checksum.ts';

export const MANIFEST = 'invsr-manifest.json';

export interface Manifest {
  readonly model: string;
  /** Repository → commit; none where it was imported from a folder. */
  readonly commits: Readonly<Record<string, string>>;
  /** By path in the folder. The id is a SHA-256 or git's checksum. */
  readonly files: Readonly<Record<string, { readonly size: number; readonly id: string }>>;
}

export interface ManifestFile {
  readonly size: number;
  readonly checksum: Checksum | undefined;
}

export const manifestFiles = (manifest: Manifest | undefined): ReadonlyMap<string, ManifestFile> =>
  new Map(
    Object.entries(manifest?.files ?? {}).map(([target, { size, id }]) => [
      target,
      { size, checksum: checksumOf(id) },
    ]),
  );

/** It names files on disk, so nothing that leads out of its folder. */
export const isInside = (path: string): boolean =>
  path !== '' &&
  path.split('/').every((part) => !['', '.', '..'].includes(part) && !/[\\:]/.test(part));

/** From a server, which nobody here wrote: checked. `where` is its address, for messages. */
export function parseManifest(text: string, where: string): Manifest {
  const fail = (why: string): never => {
    throw new CheckpointError(`${where}: is no model's manifest (${why})`);
  };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return fail('no JSON');
  }
  const manifest = (json ?? {}) as Partial<Manifest>;
  const { model, files } = manifest;
  if (typeof model !== 'string' || !/^\w[\w.-]{0,63}$/.test(model)) return fail('"model"');
  if (typeof files !== 'object' || files === null) return fail('"files"');
  for (const [path, file] of Object.entries(files) as [string, unknown][]) {
    const { size, id } = (file ?? {}) as { readonly size?: unknown; readonly id?: unknown };
    const isRight = Number.isSafeInteger(size) && Number(size) >= 0 && typeof id === 'string';
    if (!isRight || checksumOf(id) === undefined || !isInside(path)) return fail(`"${path}"`);
  }
  return { model, files, commits: manifest.commits ?? {} };
}
