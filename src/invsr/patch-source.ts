/** The networks as a PatchSource: tiles uploaded, patches read back. */
import { readBuffer } from '../engine/readback.ts';
import type { Buffers } from './buffers.ts';
import { SCALE } from './tile-graph.ts';
import { DEFAULT_SEED, seedWords } from './tile-inputs.ts';
import type { TileNetworks } from './tile-networks.ts';
import type { PatchSource, TileBatch } from './tile-source.ts';

/**
 * Of the same seed, the same patches. Sources of the same networks wait for each other's last patch
 * or early end: who takes from two by turns waits for ever, or until one is aborted.
 */
export function patchSource(
  networks: TileNetworks,
  { seed = DEFAULT_SEED }: { readonly seed?: number | undefined } = {},
): PatchSource {
  const begin = async (own: Buffers, { tiles, latentOrigins }: TileBatch): Promise<void> => {
    await own.write('tiles', tiles);
    await own.write('seed', seedWords(seed));
    await own.write('latentOrigins', Uint32Array.from(latentOrigins.flatMap(({ y, x }) => [y, x])));
  };
  return async function* (batches, options) {
    const { device } = networks.context;
    const request = { ...options, noise: 'generated' } as const;
    for await (const { job, buffers } of networks.run(batches, begin, request)) {
      const bytes = job.tiles.byteLength * SCALE ** 2; // [B, P, P, 4] → [B, 4P, 4P, 4]
      yield new Float32Array(await readBuffer(device, buffers.at('patch'), bytes));
    }
  };
}
