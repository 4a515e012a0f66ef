/**
 * Networks that a test can predict: nearest neighbour x4, plus something that depends on where the tile
 * lies or on the place within it. No adapter needed.
 */
import type { PatchSource, TileBatch } from '../../src/invsr/tile-source.ts';

export interface FakeOptions {
  readonly tile: number;
  /** Added to a patch's value at row i, column j; what real networks get wrong near edges, say. */
  readonly error?: (
    origin: { readonly y: number; readonly x: number },
    i: number,
    j: number,
  ) => number;
  /** Linear interpolation instead of the nearest neighbour. */
  readonly smooth?: boolean;
  /** Called with every batch pulled. */
  readonly onBatch?: (batch: TileBatch) => void | Promise<void>;
  /** Batches pulled before the first patch is given. */
  readonly ahead?: number;
}

export function fakeNetworks({ onBatch, ahead = 1, ...kind }: FakeOptions): PatchSource {
  return async function* (batches, { count, signal, onProgress }) {
    let done = 0;
    const waiting: TileBatch[] = [];
    const iterator = batches[Symbol.asyncIterator]();
    for (;;) {
      while (waiting.length < ahead) {
        const next = await iterator.next();
        if (next.done) break;
        waiting.push(next.value);
      }
      const batch = waiting.shift();
      if (!batch) return;
      await onBatch?.(batch);
      signal?.throwIfAborted();
      done += batch.count;
      onProgress?.({ stage: 'tiles', done, total: count });
      yield enlarge(batch, kind);
    }
  };
}

function enlarge({ tiles, count, latentOrigins }: TileBatch, { tile, error, smooth }: FakeOptions) {
  const side = 4 * tile;
  const patches = new Float32Array(count * side * side * 4);
  for (let b = 0, at = 0; b < count; b++) {
    for (let i = 0; i < side; i++) {
      for (let j = 0; j < side; j++, at += 4) {
        const row = (b * tile + (i >> 2)) * tile;
        const extra = error?.(latentOrigins[b]!, i, j) ?? 0;
        const x = (j + 0.5) / 4 - 0.5;
        const left = Math.min(tile - 2, Math.max(0, Math.floor(x)));
        for (let c = 0; c < 3; c++) {
          const [p, q] = [tiles[4 * (row + left) + c]!, tiles[4 * (row + left + 1) + c]!];
          const v = smooth ? p + (x - left) * (q - p) : tiles[4 * (row + (j >> 2)) + c]!;
          patches[at + c] = Math.min(1, Math.max(0, v + extra));
        }
      }
    }
  }
  return patches;
}
