/**
 * One load's batches (load-plan.ts): read into memory that is given, turned, and on their way to the
 * weights' buffers when `upload` returns. In order; the memory is free again then.
 *
 *   device   the batch goes up as it is, and the relayout kernel turns it there
 *   rows     pieces of a tensor gather in one array, which goes up with the last of them
 */
import type { EngineContext } from '../engine/context.ts';
import { byteLength, type Kernel, type Target } from '../engine/kernel.ts';
import { letGo } from '../engine/slices.ts';
import { type UploadJob, Uploader } from '../engine/uploader.ts';
import { relayout, type RelayoutConstants } from '../kernels/relayout.ts';
import { packBlocks } from '../weights/blocks.ts';
import { convertRows } from '../weights/convert-rows.ts';
import { holdsBeyond } from '../weights/f16-range.ts';
import { allDone } from '../weights/all-done.ts';
import { BATCH_BYTES, type LoadBatch, type LoadPiece } from './load-plan.ts';
import type { LoadItem } from './load-weights.ts';
import { converted, type WeightSource } from './weight-source.ts';
import { readWhole } from './whole-weight.ts';

export interface LoadWork {
  /** By the pieces' `tensor`. */
  readonly items: readonly LoadItem[];
  readonly batches: readonly LoadBatch[];
  readonly source: WeightSource;
  readonly signal: AbortSignal;
}

export class BatchUploader {
  readonly #context: EngineContext;
  readonly #work: LoadWork;
  readonly #target: Target;
  /** Where pieces are for the device. */
  #uploader: Uploader | undefined;
  /** The tensor whose rows gather. */
  readonly #gathered: Uint16Array<ArrayBuffer>;
  /** Tensors that may hold what f16 cannot. */
  readonly #doubtful = new Set<LoadItem>();

  private constructor(context: EngineContext, work: LoadWork) {
    this.#context = context;
    this.#work = work;
    this.#target = context.target;
    const rows = work.batches.flatMap(({ pieces }) => pieces.filter(({ way }) => way === 'rows'));
    const sizes = rows.map((piece) => byteLength(this.#itemOf(piece).weight.type));
    this.#gathered = new Uint16Array(sizes.reduce((most, size) => Math.max(most, size), 0) / 2);
  }

  static async create(
    context: EngineContext,
    work: LoadWork,
    batchPieces: number,
  ): Promise<BatchUploader> {
    const made = new BatchUploader(context, work);
    const onDevice = work.batches.flatMap(({ pieces }) =>
      pieces.filter(({ way }) => way === 'device'),
    );
    if (onDevice.length === 0) return made;
    const requests = onDevice.map((piece) => ({
      path: made.#itemOf(piece).weight.key,
      kernel: made.#kernelOf(piece),
    }));
    made.#uploader = await Uploader.create(context, {
      batchBytes: BATCH_BYTES,
      jobs: batchPieces,
      compiled: await context.pipelines.compile(requests, { signal: work.signal }),
    });
    return made;
  }

  async read({ pieces }: LoadBatch, memory: Uint8Array<ArrayBuffer>): Promise<void> {
    const reads = pieces
      .filter(({ way }) => way !== 'whole')
      .map(async (piece) => {
        const { place } = this.#itemOf(piece);
        await place?.read(piece.begin, bytesIn(memory, piece), this.#work.signal);
      });
    await allDone(reads);
  }

  async upload({ pieces }: LoadBatch, memory: Uint8Array<ArrayBuffer>): Promise<void> {
    const forDevice: LoadPiece[] = [];
    for (const piece of pieces) {
      await letGo(); // where the files are in memory, nothing else would
      if (piece.way === 'device') forDevice.push(piece);
      else if (piece.way === 'rows') await this.#gather(piece, bytesIn(memory, piece));
      else if (piece.way === 'host') await this.#convert(piece, bytesIn(memory, piece));
      else await this.#convertWhole(this.#itemOf(piece));
    }
    if (forDevice.length > 0) await this.#submit(forDevice, memory);
  }

  /** Waits for what is under way and frees what it took. */
  async close(): Promise<void> {
    await this.#uploader?.close();
  }

  /** Turned on the device. */
  async #submit(pieces: readonly LoadPiece[], memory: Uint8Array<ArrayBuffer>): Promise<void> {
    for (const piece of pieces) this.#doubt(piece, bytesIn(memory, piece));
    const jobs = pieces.map((piece): UploadJob => ({
      kernel: this.#kernelOf(piece),
      output: this.#itemOf(piece).buffer,
    }));
    const begin = Math.min(...pieces.map(({ offset }) => offset));
    const end = Math.max(...pieces.map(({ offset, bytes }) => offset + bytes));
    await this.#uploader?.submit(memory.subarray(begin, end), begin, jobs);
    for (const piece of pieces) {
      const item = this.#itemOf(piece);
      if (isLast(piece, item) && this.#doubtful.has(item)) await this.#convertWhole(item);
    }
  }

  /** Turned here, with the rest of its tensor. */
  async #gather(piece: LoadPiece, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const item = this.#itemOf(piece);
    const { weight, place } = item;
    if (!place) return;
    this.#doubt(piece, bytes);
    const whole = this.#gathered.subarray(0, byteLength(weight.type) / 2);
    const { dtype, shape } = place;
    convertRows({ name: weight.key, dtype, shape, bytes }, whole, piece);
    if (!isLast(piece, item)) return;
    if (this.#doubtful.has(item)) await this.#convertWhole(item);
    else await this.#write(item, bytesOf(whole));
  }

  async #convert(piece: LoadPiece, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const item = this.#itemOf(piece);
    const { weight, place } = item;
    if (place) await this.#write(item, converted(weight, place, bytes));
  }

  /** By the source, which names an element that f16 cannot hold or finds that there is none. */
  async #convertWhole(item: LoadItem): Promise<void> {
    const { source, signal } = this.#work;
    await this.#write(item, await readWhole(source, item.weight, signal));
  }

  /** Turned on the host. */
  async #write({ weight: { type, blocks }, buffer }: LoadItem, turned: Uint8Array): Promise<void> {
    const columns = type.shape.at(-1) ?? 0;
    const bytes = blocks ? packBlocks(turned, columns, blocks) : turned;
    await this.#context.weights.write(buffer, bytes);
  }

  #doubt(piece: LoadPiece, bytes: Uint8Array<ArrayBuffer>): void {
    const item = this.#itemOf(piece);
    const terms = item.weight.layout === 'phase' ? 4 : 1;
    if (holdsBeyond(bytes, item.place?.dtype ?? '', terms)) this.#doubtful.add(item);
  }

  #itemOf({ tensor }: LoadPiece): LoadItem {
    const item = this.#work.items[tensor];
    if (!item) throw new Error(`the load has no tensor ${tensor}`);
    return item;
  }

  #kernelOf(piece: LoadPiece): Kernel {
    const { weight, place } = this.#itemOf(piece);
    const { offset, first, rows } = piece;
    return relayout(
      { raw: { dtype: 'u32', shape: [BATCH_BYTES / 4] } },
      // As load-plan.ts chose it.
      {
        layout: weight.layout,
        blocks: weight.blocks,
        from: place?.dtype,
        shape: place?.shape,
        offset,
        first,
        rows,
      } as RelayoutConstants,
      this.#target,
    );
  }
}

const bytesIn = (
  memory: Uint8Array<ArrayBuffer>,
  { offset, bytes }: LoadPiece,
): Uint8Array<ArrayBuffer> => memory.subarray(offset, offset + bytes);

const isLast = ({ first, rows }: LoadPiece, { place }: LoadItem): boolean =>
  first + rows === place?.shape[0];

const bytesOf = ({
  buffer,
  byteOffset,
  byteLength: length,
}: Uint16Array<ArrayBuffer>): Uint8Array<ArrayBuffer> => new Uint8Array(buffer, byteOffset, length);
