/**
 * The page's calls to its worker: each has a number, hears of its progress, ends with the worker's answer, and can
 * be aborted; all of them end with the worker.
 */
import type { Region, Watched } from './types.ts';
import {
  type Call,
  type FromPage,
  type FromWorker,
  type Port,
  receivedError,
  type SentCanvas,
} from './worker-protocol.ts';

export type Done = Extract<FromWorker, { kind: 'done' }>;

/** What a call hears of. */
export interface Watch extends Watched {
  readonly onTile?: ((region: Region) => void) | undefined;
}

interface UnderWay extends Watch {
  readonly resolve: (done: Done) => void;
  readonly reject: (error: unknown) => void;
}

type OfCall = Extract<FromWorker, { readonly call: number }>;
/** What a worker says besides. */
export type WorkerEvent = Exclude<FromWorker, OfCall>;

export class WorkerCalls {
  readonly #worker: Port<FromPage, FromWorker> & Pick<Worker, 'terminate'>;
  readonly #underWay = new Map<number, UnderWay>();
  /** Numbers of those that the worker has. */
  readonly #canvases = new Map<OffscreenCanvas, number>();
  #count = 0;
  #ended: Error | undefined;

  constructor(worker: Worker, onEvent: (event: WorkerEvent) => void) {
    this.#worker = worker;
    worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => {
      if ('call' in data) this.#hear(data);
      else onEvent(data);
    });
    worker.addEventListener('error', ({ message }) =>
      this.end(new Error(`the worker ended: ${message || 'its script did not load'}`)),
    );
    worker.addEventListener('messageerror', () =>
      this.end(new Error('the worker ended: what it says cannot be read')),
    );
  }

  /** Rejects with the worker's error, the signal's reason, or what ended the worker. */
  async make(
    asked: Call,
    { signal, ...watch }: Watch,
    transfer: Transferable[] = [],
  ): Promise<Done> {
    signal?.throwIfAborted();
    if (this.#ended) throw this.#ended;
    const call = this.#count++;
    const abort = (): void => this.#worker.postMessage({ kind: 'abort', call }, {});
    signal?.addEventListener('abort', abort);
    try {
      return await new Promise<Done>((resolve, reject) => {
        this.#underWay.set(call, { ...watch, resolve, reject });
        this.#worker.postMessage({ ...asked, call }, { transfer });
        // Not before: a call that ends here takes no canvas with it.
        const { canvas, number = 0 } = (asked.kind === 'upscale' && asked.canvas) || {};
        if (canvas) this.#canvases.set(canvas, number);
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
      this.#underWay.delete(call);
    }
  }

  /** A canvas for a call: itself, to be transferred, or its number where the worker has it. */
  canvas(canvas: OffscreenCanvas): SentCanvas {
    const known = this.#canvases.get(canvas);
    if (known !== undefined) return { number: known };
    return { number: this.#canvases.size, canvas };
  }

  /** Ends the worker, and with it all it holds. Calls under way, and those to come, reject. */
  end(error: Error): void {
    this.#ended ??= error;
    this.#worker.terminate();
    for (const { reject } of this.#underWay.values()) reject(error);
  }

  #hear(message: OfCall): void {
    const call = this.#underWay.get(message.call);
    if (message.kind === 'done') call?.resolve(message);
    else if (message.kind === 'failed') call?.reject(receivedError(message.error));
    else if (message.kind === 'progress') call?.onProgress?.(message.progress);
    else call?.onTile?.(message.region);
  }
}
