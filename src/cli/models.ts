/** Model names and folders: what `--model` accepts. */
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Folder } from '../weights/folder.ts';
import { findLocal, importedFolder, localFolder } from '../weights/hub/local.ts';
import { HUB_MODELS, type HubModel } from '../weights/hub/models.ts';
import { readSettings } from '../weights/hub/settings.ts';
import { nodeFolder } from '../weights/node-file.ts';
import { InputError } from './errors.ts';

/** Models that come with the package, in its `weights/` folder. */
export const EMBEDDED: readonly string[] = ['invsr-nano'];

export const embeddedFolder = (name: string): string => join(packageRoot(), 'weights', name);

/** A model's files, and where small ones about it may be kept. */
export interface ModelPlace {
  readonly folder: Folder;
  readonly notes: string;
}

/** The folder of a model given by name or path. */
export async function modelFolder(model: string): Promise<Folder> {
  return (await modelPlace(model)).folder;
}

export async function modelPlace(model: string): Promise<ModelPlace> {
  if (EMBEDDED.includes(model)) return placeOf(embeddedFolder(model));
  const hub = HUB_MODELS.find(({ name }) => name === model);
  if (hub) return fetchedPlace(hub);
  const info = await stat(model).catch(() => undefined);
  if (info?.isDirectory() === true) {
    expectModel(model);
    return placeOf(model);
  }
  const what = info ? 'is a file' : 'is neither a known model nor a folder';
  const known = [...EMBEDDED, ...HUB_MODELS.map(({ name }) => name)].join(', ');
  throw new InputError(`--model ${model} ${what}; expected ${known} or a model folder`);
}

const NOTES = '.invsr';
const placeOf = (path: string): ModelPlace => ({
  folder: nodeFolder(path),
  notes: join(path, NOTES),
});

async function fetchedPlace(model: HubModel): Promise<ModelPlace> {
  const settings = await readSettings();
  const local = await findLocal(model, settings);
  // Not in the hub's cache, which is Python's too.
  const notes = join(importedFolder(settings, model), NOTES);
  if (local.missing.length === 0) return { folder: localFolder(local), notes };
  const { name } = model;
  const what =
    local.files.length > 0
      ? `is not complete in ${settings.cache} (no ${local.missing.join(', no ')})`
      : `is not in ${settings.cache}`;
  const hint = existsSync(name) ? `; the folder of that name is --model ./${name}` : '';
  throw new InputError(`--model ${name} ${what}; fetch it: invsr weights pull ${name}${hint}`);
}

/** The readers name a file that is missing; here the folder is of another kind altogether. */
function expectModel(folder: string): void {
  if (['unet', 'vae', 'noise_predictor'].some((part) => existsSync(join(folder, part)))) return;
  throw new InputError(
    `--model ${folder} is no model folder: looked for ${join(folder, 'unet', 'config.json')}, expected unet/, vae/, scheduler/ and noise_predictor/ in it`,
  );
}

/** Where package.json lies: some folders above this file, bundled or not. */
function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error('package.json was not found above the program');
    folder = parent;
  }
  return folder;
}
