/** The page's side of encoder-worker.ts. */
import { type FileRequest, fileSize, FileSizeError, type SharpPart } from './encode.ts';
import { PictureError } from './open.ts';

export type Asked =
  | { readonly kind: 'begin'; readonly request: FileRequest }
  | { readonly kind: 'draw'; readonly part: SharpPart }
  | { readonly kind: 'finish' };

/** To each message in turn. */
export type Answered =
  | { readonly kind: 'done'; readonly blob?: Blob }
  | { readonly kind: 'failed'; readonly message: string; readonly error: Failure };

/** FileSizeError, another PictureError, or something that nobody has thought of. */
export type Failure = 'size' | 'picture' | 'other';

/** Parts are asked for one by one, and given away. FileSizeError, PictureError: the browser cannot. */
export async function encode(request: FileRequest, parts: Iterable<SharpPart>): Promise<Blob> {
  const worker = new Worker('encoder.js', { type: 'module' });
  const ask = asking(worker, {
    size: () => new FileSizeError(fileSize(request.how)),
    picture: (said) => new PictureError(said),
    other: (said) => new Error(said),
  });
  try {
    await ask({ kind: 'begin', request });
    for (const part of parts) await ask({ kind: 'draw', part }, [part.bitmap]);
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
      worker.addEventListener('error', () => reject(new Error('the encoder did not start')), {
        once: true,
      });
      worker.postMessage(message, transfer);
    });
