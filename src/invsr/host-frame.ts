/**
 * The host frame: an image of any size through the networks, finished rows as soon as no later tile
 * touches them. Neither the image nor the result is ever whole in memory.
 *
 *   RowSource ─cutTiles→ batches ─PatchSource→ patches ─RowBlender→ content ─finishRows→ rows
 *
 * The other frame (gpu-frame.ts) keeps both on the GPU. Same networks, same tiles, same noise.
 * Work can be resumed: `progress` tells from which row, and which patches are known already.
 */
import { finishRows } from './finish-rows.ts';
import { CHANNELS, contentWindow, firstBatchOf, type HostPlan } from './host-plan.ts';
import { enlargedRows, reflectableRows, type RowSource } from './row-source.ts';
import { RowBlender } from './row-blender.ts';
import { SCALE } from './tile-graph.ts';
import { cutTiles } from './tile-cutter.ts';
import type { PatchOptions, PatchSource } from './tile-source.ts';

/** Rows [first, first + count) of the result: R, G, B and, where the source has one, alpha. */
export interface ResultRows {
  readonly first: number;
  readonly count: number;
  /** 8 or 16 bits per value, by the depth asked for; [count, W, channels]. */
  readonly data: Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;
}

/** What an earlier run left, and where this one leaves what it has computed. */
export interface PatchStore {
  /** Rows of the result that are safe already. */
  readonly rowsDone: number;
  has(batch: number): boolean;
  load(batch: number): Promise<Float32Array<ArrayBuffer>>;
  save(batch: number, patches: Float32Array): Promise<void>;
}

export interface HostFrameOptions extends Omit<PatchOptions, 'count'> {
  /** Bits per value of the rows. */
  readonly depth: 8 | 16;
  readonly store?: PatchStore | undefined;
}

/** About this much content is finished at once. */
const CHUNK_BYTES = 32 * 2 ** 20;

/** Rows in order, without gaps, from `store.rowsDone` on. */
export async function* upscaleRows(
  plan: HostPlan,
  source: RowSource,
  networks: PatchSource,
  { depth, store, signal, onProgress }: HostFrameOptions,
): AsyncGenerator<ResultRows> {
  const { height } = plan.result;
  let row = store?.rowsDone ?? 0;
  const lr = lrRows(plan, source);
  const first = firstBatchOf(plan, row);
  const todo = plan.batches.flatMap((tiles, k) => (k < first || store?.has(k) ? [] : [tiles]));
  const blender = new RowBlender(plan, plan.batches[first]?.[0]?.y ?? 0);
  const count = todo.flat().length;
  const known = plan.grid.tiles.length - count;
  const stopped = new AbortController();
  const computed = oneAhead(
    networks(cutTiles(plan, lr, todo), {
      count,
      signal: AbortSignal.any([stopped.signal, ...(signal ? [signal] : [])]),
      // Tiles of earlier runs count as done.
      onProgress:
        onProgress &&
        (({ stage, done, total }) =>
          onProgress(
            stage === 'tiles'
              ? { stage, done: known + done, total: plan.grid.tiles.length }
              : { stage, done, total },
          )),
    }),
  );
  try {
    for (let k = first; k < plan.batches.length; k++) {
      signal?.throwIfAborted();
      let patches: Float32Array | undefined;
      if (store?.has(k)) {
        patches = await store.load(k);
      } else {
        patches = await computed.next();
        if (!patches) throw new Error(`the networks gave no patches for batch ${k}`);
        await store?.save(k, patches);
      }
      const size = (plan.tile * SCALE) ** 2 * 4;
      for (const [b, tile] of (plan.batches[k] ?? []).entries()) {
        blender.add(tile, patches.subarray(b * size, (b + 1) * size));
      }
      for (let end = readyEnd(row); end > row; end = readyEnd(row)) {
        signal?.throwIfAborted();
        yield {
          first: row,
          count: end - row,
          data: await finishRows(plan, { content: blender.strip(), lr, source }, row, end, depth),
        };
        row = end;
        if (row < height) blender.drop(contentWindow(plan, row, row + 1).first);
      }
    }
  } finally {
    // Where the caller has had enough, or a disk is full, nobody waits for the batch under way.
    stopped.abort();
    await computed.return();
  }

  /** The end of the next rows that can be finished: all that are ready, but not too many at once. */
  function readyEnd(from: number): number {
    const contentRowsPerRow = plan.shrink ? plan.content.height / height : 1;
    const bytes = 4 * CHANNELS * plan.content.width * contentRowsPerRow;
    const most = Math.min(height, from + Math.max(1, Math.floor(CHUNK_BYTES / bytes)));
    let [low, high] = [from, most];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (contentWindow(plan, from, middle).end <= blender.done) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

function lrRows(plan: HostPlan, source: RowSource): RowSource {
  const { enlargement, lr } = plan;
  return enlargement.height === 1 && enlargement.width === 1
    ? reflectableRows(source)
    : enlargedRows(source, lr, enlargement);
}

interface Ahead<T> {
  next(): Promise<T | undefined>;
  return(): Promise<void>;
}

/** Asks for the next value when one is taken, so that it is computed meanwhile. */
function oneAhead<T>(values: AsyncIterable<T>): Ahead<T> {
  const iterator = values[Symbol.asyncIterator]();
  let pending: Promise<IteratorResult<T>> | undefined;
  const ask = (): Promise<IteratorResult<T>> => {
    const asked = iterator.next();
    asked.catch(() => {}); // told when it is taken; after an abort nobody takes it
    return asked;
  };
  return {
    next: async () => {
      const result = await (pending ?? ask());
      pending = result.done ? undefined : ask();
      return result.done ? undefined : result.value;
    },
    return: async () => {
      await pending?.catch(() => {});
      await iterator.return?.();
    },
  };
}
