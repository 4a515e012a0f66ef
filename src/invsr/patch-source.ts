/** The networks as a PatchSource: tiles uploaded, patches read back. */
import type { EngineContext } from '../engine/context.ts';
import { readBuffer } from '../engine/readback.ts';
import type { Buffers } from './buffers.ts';
import { SCALE } from './tile-graph.ts';
import { DEFAULT_SEED, seedWords } from './tile-inputs.ts';
import type { TileNetworks } from './tile-networks.ts';
import type { PatchSource, TileBatch } from './tile-source.ts';

/** `tile`: side P of the tiles that `networks` take. */
export function patchSource(
  context: EngineContext,
  networks: TileNetworks,
  { tile, seed = DEFAULT_SEED }: { readonly tile: number; readonly seed?: number | undefined },
): PatchSource {
  const begin = async (own: Buffers, { tiles, latentOrigins }: TileBatch): Promise<void> => {
    await own.write('tiles', tiles);
    await own.write('seed', seedWords(seed));
    await own.write('latentOrigins', Uint32Array.from(latentOrigins.flatMap(({ y, x }) => [y, x])));
  };
  return async function* (batches, { count, signal, onProgress }) {
    const request = {
      noise: 'generated',
      count,
      signal,
      onProgress:
        onProgress &&
        (({ stage, done, total }) =>
          onProgress({ stage: stage === 'tiles' ? 'run' : stage, done, total })),
    } satisfies Parameters<TileNetworks['run']>[2];
    for await (const { job, buffers } of networks.run(batches, begin, request)) {
      const bytes = job.count * (tile * SCALE) ** 2 * 4 * Float32Array.BYTES_PER_ELEMENT;
      yield new Float32Array(await readBuffer(context.device, buffers.at('patch'), bytes));
    }
  };
}
