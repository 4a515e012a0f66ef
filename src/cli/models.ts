/** Model names and folders: what `--model` accepts. */
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InputError } from './errors.ts';

/** Models that come with the package, in its `weights/` folder. */
const EMBEDDED = ['invsr-nano'];

/** The folder of a model given by name or path. */
export async function modelFolder(model: string): Promise<string> {
  if (EMBEDDED.includes(model)) return join(packageRoot(), 'weights', model);
  const info = await stat(model).catch(() => undefined);
  if (info?.isDirectory()) return model;
  if (model === 'sd-turbo') {
    throw new InputError(
      '--model sd-turbo: downloading is not built yet; give a folder with unet/, vae/, scheduler/, noise_predictor/ and prompt_embeds.safetensors',
    );
  }
  const what = info ? 'is a file' : 'is neither a known model nor a folder';
  throw new InputError(
    `--model ${model} ${what}; expected ${EMBEDDED.join(', ')} or a model folder`,
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
