/** The page's side of encoder-worker.ts. */
import type { FileRequest, SharpPart } from './encode.ts';
import { PictureError } from './open.ts';

export type Asked =
  | { readonly kind: 'begin'; readonly request: FileRequest }
  | { readonly kind: 'draw'; readonly part: SharpPart }
  | { readonly kind: 'finish' };

/** To each message in turn. */
export type Answered =
  | { readonly kind: 'done'; readonly blob?: Blob }
  | { readonly kind: 'failed'; readonly message: string; readonly isForPeople: boolean };

/** Parts are asked for one by one, and given away. PictureError: the browser cannot. */
export async function encode(request: FileRequest, parts: Iterable<SharpPart>): Promise<Blob> {
  const worker = new Worker('encoder.js', { type: 'module' });
  try {
    await ask(worker, { kind: 'begin', request });
    for (const part of parts) await ask(worker, { kind: 'draw', part }, [part.bitmap]);
    const blob = await ask(worker, { kind: 'finish' });
    if (!blob) throw new Error('the encoder gave no file');
    return blob;
  } finally {
    worker.terminate();
  }
}

function ask(worker: Worker, message: Asked, transfer: Transferable[] = []) {
  return new Promise<Blob | undefined>((resolve, reject) => {
    worker.addEventListener(
      'message',
      ({ data }: MessageEvent<Answered>) => {
        if (data.kind === 'done') return resolve(data.blob);
        const { message: said, isForPeople } = data;
        reject(isForPeople ? new PictureError(said) : new Error(said));
      },
      { once: true },
    );
    worker.addEventListener('error', () => reject(new Error('the encoder did not start')), {
      once: true,
    });
    worker.postMessage(message, transfer);
  });
}
