/**
 * Tiles of an image on the host, batch by batch: reflect padding as index arithmetic, values rounded
 * to f16, as the kernels reflectPad and cropTiles (quantize) make them on the GPU. One row of tiles
 * is in memory at a time.
 */
import { toHalf, toSingle } from '../weights/half.ts';
import type { HostPlan } from './host-plan.ts';
import { reflectedIndices } from './padding.ts';
import type { RowSource } from './row-source.ts';
import { latentOrigin } from './tile-inputs.ts';
import type { TileBatch } from './tile-source.ts';
import type { Tile } from './tiles.ts';

/** `lr` gives R, G, B in [0, 1], and perhaps alpha, which is left out. */
export async function* cutTiles(
  plan: HostPlan,
  lr: RowSource,
  batches: Iterable<readonly Tile[]>,
): AsyncGenerator<TileBatch> {
  const { tile, padding } = plan;
  const rows = reflectedIndices(
    lr.height,
    padding.passes.map(({ top, bottom }) => ({ before: top, after: bottom })),
  );
  const columns = reflectedIndices(
    lr.width,
    padding.passes.map(({ left, right }) => ({ before: left, after: right })),
  );
  let strip: { readonly y: number; readonly rgb: readonly Float32Array[] } | undefined;
  for (const batch of batches) {
    const tiles = new Float32Array(batch.length * tile * tile * 4);
    for (const [b, { y, x }] of batch.entries()) {
      if (strip?.y !== y) strip = { y, rgb: await readRows(lr, rows.subarray(y, y + tile)) };
      for (let i = 0, at = b * tile * tile * 4; i < tile; i++) {
        const row = strip.rgb[i];
        for (let j = 0; j < tile; j++, at += 4) {
          const from = (columns[x + j] ?? 0) * lr.channels;
          for (let c = 0; c < 3; c++) tiles[at + c] = row?.[from + c] ?? 0;
        }
      }
    }
    yield {
      tiles,
      count: batch.length,
      latentOrigins: batch.map((origin) => latentOrigin(origin, padding)),
    };
  }
}

/** The rows of the image that `indices` name, rounded to f16. */
async function readRows(lr: RowSource, indices: Int32Array): Promise<Float32Array[]> {
  const first = Math.min(...indices);
  const data = await lr.read(first, Math.max(...indices) + 1 - first);
  const rounded = toSingle(toHalf(data));
  const row = lr.width * lr.channels;
  return Array.from(indices, (i) => rounded.subarray((i - first) * row, (i - first + 1) * row));
}
