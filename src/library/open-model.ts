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
  if (has('configs', weights)) return weights;
  signal?.throwIfAborted();
  const opening = openModel(has('folder', weights) ? weights : urlFolder(addressOf(weights)));
  if (!signal) return opening;
  try {
    return await unlessAborted(opening, signal);
  } catch (error) {
    // Nobody will have what is opened too late.
    opening.then((model) => model.close()).catch(() => {});
    throw error;
  }
}

type Weights = LoadOptions['weights'];

/** Types alone do not stop JavaScript, and objects of another window are instances of no class of this one. */
const has = <Key extends string>(
  key: Key,
  weights: Weights,
): weights is Extract<Weights, Readonly<Record<Key, unknown>>> =>
  typeof weights === 'object' && weights !== null && key in weights;

/** Relative to the page where there is one. */
function addressOf(address: string | URL): URL {
  const base = (globalThis as { readonly location?: Location }).location?.href;
  try {
    if (typeof address === 'string' || has('href', address)) return new URL(address, base);
    throw new TypeError();
  } catch {
    throw new TypeError(
      `weights is ${String(address)}, expected an address such as https://host/model/; for a folder on disk give nodeFolder(path)`,
    );
  }
}
