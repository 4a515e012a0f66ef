/** One picture through a model, with every stage dumped; in Node and in pages. */
import type { EngineContext } from '../../src/engine/context.ts';
import { openModel } from '../../src/invsr/model.ts';
import type { Dump } from '../../src/invsr/parity.ts';
import type { Pixels } from '../../src/invsr/pixels.ts';
import { TileNetworks } from '../../src/invsr/tile-networks.ts';
import { type PixelsResult, upscalePixels } from '../../src/invsr/upscale-pixels.ts';
import { type UpscaleSettings, withDefaults } from '../../src/invsr/upscale-settings.ts';
import { readTensors } from '../../src/weights/tensor-reads.ts';
import type { Folder } from '../../src/weights/folder.ts';
import { bytesSource } from '../../src/weights/source.ts';

export interface OneUpscale {
  readonly folder: Folder;
  readonly picture: Pixels;
  readonly options: UpscaleSettings;
  /** A parity file: the draws and the prompt in place of the seed's and the model's. */
  readonly parity?: Uint8Array<ArrayBuffer> | undefined;
}

export interface DumpedResult {
  readonly result: PixelsResult;
  readonly dump: Dump;
}

/** The context holds no weights afterwards: another prompt comes under the same name. */
export async function upscaleOnce(
  context: EngineContext,
  { folder, picture, options, parity }: OneUpscale,
): Promise<DumpedResult> {
  const noise = parity && (await readTensors(bytesSource('parity', parity)));
  const model = await openModel(folder, noise);
  const all = withDefaults(options, context);
  const networks = new TileNetworks(context, model, all);
  const dump: Dump = new Map();
  try {
    return { result: await upscalePixels(networks, picture, { ...all, dump, noise }), dump };
  } finally {
    networks.dispose();
    context.weights.dispose();
    await model.close();
  }
}
