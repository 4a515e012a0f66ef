/** A model in a folder of its own (`pull --to`, `--from`): files in their places, and a manifest. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Manifest, MANIFEST } from './manifest.ts';
import { writeJson } from './record.ts';

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
