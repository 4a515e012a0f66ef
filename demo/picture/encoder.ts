/** The page's side of encoder-worker.ts. */
import type { Region } from '../../src/index.ts';
import type { SharpPart } from './compose.ts';
import { type FileRequest, fileSize, FileSizeError, piecesOf } from './encode.ts';
import { PictureError } from './open.ts';

export type Asked =
  | { readonly kind: 'begin'; readonly request: FileRequest }
  | { readonly kind: 'piece'; readonly piece: Region }
  | { readonly kind: 'draw'; readonly part: SharpPart }
  | { readonly kind: 'finish' };

/** To each message in turn. */
export type Answered =
  | { readonly kind: 'done'; readonly blob?: Blob }
  | { readonly kind: 'failed'; readonly message: string; readonly error: Failure };

/** FileSizeError, another PictureError, or something that nobody has thought of. */
export type Failure = 'size' | 'picture' | 'other';

export interface EncodeOptions {
  /** Ends it at once. */
  readonly signal: AbortSignal;
  /** From 0 to 1. */
  readonly onProgress: (share: number) => void;
}

/**
 * `partsOf` is asked for what is sharp, piece by piece, and its bitmaps are given away.
 * FileSizeError, PictureError: the browser cannot. What `partsOf` throws; the signal's reason.
 */
export async function encode(
  request: FileRequest,
  partsOf: (piece: Region) => Iterable<SharpPart>,
  { signal, onProgress }: EncodeOptions,
): Promise<Blob> {
  signal.throwIfAborted();
  const worker = new Worker('encoder.js', { type: 'module' });
  const failures = {
    size: () => new FileSizeError(fileSize(request.how)),
    picture: (said: string) => new PictureError(said),
    other: (said: string) => new Error(said),
  };
  const ask = asking(worker, failures, signal);
  try {
    await ask({ kind: 'begin', request });
    const pieces = piecesOf(request.how);
    for (const [i, piece] of pieces.entries()) {
      onProgress(i / pieces.length);
      await ask({ kind: 'piece', piece });
      for (const part of partsOf(piece)) await ask({ kind: 'draw', part }, [part.bitmap]);
    }
    const blob = await ask({ kind: 'finish' });
    if (!blob) throw new Error('the encoder gave no file');
    return blob;
  } finally {
    worker.terminate();
  }
}

/** One message at a time: each is answered, or fails, before the next. */
function asking(
  worker: Worker,
  failures: Readonly<Record<Failure, (said: string) => Error>>,
  signal: AbortSignal,
): (message: Asked, transfer?: Transferable[]) => Promise<Blob | undefined> {
  let answer: (blob: Blob | undefined) => void = () => {};
  let fail: (error: unknown) => void = () => {};
  worker.addEventListener('message', ({ data }: MessageEvent<Answered>) =>
    data.kind === 'done' ? answer(data.blob) : fail(failures[data.error](data.message)),
  );
  worker.addEventListener('error', () => fail(new Error('the encoder’s module script failed')));
  signal.addEventListener('abort', () => fail(signal.reason));
  return (message, transfer = []) =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted();
      answer = resolve;
      fail = reject;
      worker.postMessage(message, transfer);
    });
}
