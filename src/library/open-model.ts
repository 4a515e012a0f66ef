/** The model that a caller names, in whatever way. */
import { unlessAborted } from '../engine/unless-aborted.ts';
import { type Model, openModel } from '../invsr/model.ts';
import { urlFolder } from '../weights/folder.ts';
import type { LoadOptions } from './types.ts';

/** Opened, or as it was given. TypeError: no address. The signal's reason, at once. */
export async function openModelOf({
  weights,
  signal,
}: Pick<LoadOptions, 'weights' | 'signal'>): Promise<Model> {
  const isObject = weights instanceof Object; // types alone do not stop JavaScript
  if (isObject && 'configs' in weights) return weights;
  signal?.throwIfAborted();
  const isFolder = isObject && 'folder' in weights;
  const opening = openModel(isFolder ? weights : urlFolder(addressOf(weights)));
  if (!signal) return opening;
  try {
    return await unlessAborted(opening, signal);
  } catch (error) {
    // Nobody will have what is opened too late.
    opening.then((model) => model.close()).catch(() => {});
    throw error;
  }
}

/** Relative to the page where there is one. */
function addressOf(address: string | URL): URL {
  const base = (globalThis as { readonly location?: Location }).location?.href;
  try {
    if (typeof address === 'string' || address instanceof URL) return new URL(address, base);
    throw new TypeError();
  } catch {
    throw new TypeError(
      `weights is ${String(address)}, expected an address such as https://host/model/; for a folder on disk give nodeFolder(path)`,
    );
  }
}
