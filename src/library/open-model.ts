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
  if (typeof weights === 'object' && 'configs' in weights) return weights;
  const isAddress = typeof weights === 'string' || weights instanceof URL;
  signal?.throwIfAborted();
  const opening = openModel(isAddress ? urlFolder(addressOf(weights)) : weights);
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
    return new URL(address, base);
  } catch {
    throw new TypeError(
      `weights is ${String(address)}, expected an address such as https://host/model/; for a folder on disk give nodeFolder(path)`,
    );
  }
}
