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

/**
 * `partsOf` is asked for what is sharp, piece by piece, and its bitmaps are given away. `onProgress`: from 0 to 1.
 * FileSizeError, PictureError: the browser cannot. What `partsOf` throws.
 */
export async function encode(
  request: FileRequest,
  partsOf: (piece: Region) => Iterable<SharpPart>,
  onProgress: (share: number) => void = () => {},
): Promise<Blob> {
  const worker = new Worker('encoder.js', { type: 'module' });
  const ask = asking(worker, {
    size: () => new FileSizeError(fileSize(request.how)),
    picture: (said) => new PictureError(said),
    other: (said) => new Error(said),
  });
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

const asking =
  (worker: Worker, failures: Readonly<Record<Failure, (said: string) => Error>>) =>
  (message: Asked, transfer: Transferable[] = []) =>
    new Promise<Blob | undefined>((resolve, reject) => {
      worker.addEventListener(
        'message',
        ({ data }: MessageEvent<Answered>) =>
          data.kind === 'done' ? resolve(data.blob) : reject(failures[data.error](data.message)),
        { once: true },
      );
      worker.addEventListener(
        'error',
        () => reject(new Error('the encoder’s module script failed')),
        {
          once: true,
        },
      );
      worker.postMessage(message, transfer);
    });
