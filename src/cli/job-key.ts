/** What a result's bytes depend on, as one hash: a journal goes on only where all of it is the same. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { Folder } from '../weights/folder.ts';
import { VERSION } from '../version.ts';

export interface KeyParts {
  readonly input: string;
  /** The folder that the model's files are in. */
  readonly model: Folder;
  /** Every option that changes pixels, the adapter included. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** Folders of a model whose files matter. */
const COMPONENTS = ['unet', 'vae', 'noise_predictor', 'scheduler', 'text_encoder', 'tokenizer'];

/**
 * Of each file this many parts stand for the whole: reading gigabytes takes too long, and training
 * moves every tensor.
 */
const SAMPLES = 16;
const SAMPLE_BYTES = 4096;

export async function jobKey({ input, model, options }: KeyParts): Promise<string> {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([VERSION, Object.entries(options).toSorted(byName)]));
  for (const folder of [model, ...COMPONENTS.map((name) => model.folder(name))]) {
    const names: readonly string[] = await folder.list().catch(() => []);
    for (const name of names.toSorted((a, b) => (a < b ? -1 : 1))) {
      const source = await folder.open(name).catch(() => undefined); // a folder inside, say
      if (!source) continue;
      try {
        const size = await source.size();
        hash.update(`${name} ${size}`);
        const step = Math.max(SAMPLE_BYTES, Math.floor(size / SAMPLES));
        for (let at = 0; at < size; at += step) {
          hash.update(await source.read(at, Math.min(SAMPLE_BYTES, size - at)));
        }
      } finally {
        await source.close();
      }
    }
  }
  for await (const chunk of createReadStream(input)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  a < b ? -1 : 1;
