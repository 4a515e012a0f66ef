/**
 * A model in a folder of its own (`pull --to`, `--from`): files in their places, and a manifest with
 * sizes and checksums beside them, because nothing else would tell them later.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Checksum, checksumOf } from './checksum.ts';
import { writeJson } from './record.ts';

const MANIFEST = 'invsr-manifest.json';

export interface Manifest {
  readonly model: string;
  /** Repository → commit; none where it was imported from a folder. */
  readonly commits: Readonly<Record<string, string>>;
  /** By path in the folder. The id is a SHA-256 or git's checksum. */
  readonly files: Readonly<Record<string, { readonly size: number; readonly id: string }>>;
}

export async function readManifest(folder: string): Promise<Manifest | undefined> {
  try {
    const manifest = JSON.parse(await readFile(join(folder, MANIFEST), 'utf8')) as Manifest;
    return typeof manifest.files === 'object' ? manifest : undefined;
  } catch {
    return undefined;
  }
}

export const writeManifest = (folder: string, manifest: Manifest): Promise<void> =>
  writeJson(join(folder, MANIFEST), manifest);

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
