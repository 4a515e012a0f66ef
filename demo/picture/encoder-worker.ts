/** Puts one picture file together, on a thread of its own; encoder.ts has the messages. */
import { createFile, FileSizeError, type PictureFile } from './encode.ts';
import type { Answered, Asked, Failure } from './encoder.ts';
import { PictureError } from './open.ts';

interface WorkerScope {
  addEventListener(type: 'message', listener: (event: MessageEvent<Asked>) => void): void;
  postMessage(message: Answered, options: StructuredSerializeOptions): void;
}

// The types of pages and of workers exclude each other.
const scope = globalThis as unknown as WorkerScope;

let file: PictureFile | undefined;

async function answer(asked: Asked): Promise<Blob | undefined> {
  if (asked.kind === 'begin') file = createFile(asked.request);
  else if (asked.kind === 'piece') await file?.begin(asked.piece);
  else if (asked.kind === 'draw') file?.draw(asked.part);
  else return file?.finish();
  return undefined;
}

function kindOf(error: unknown): Failure {
  if (error instanceof FileSizeError) return 'size';
  return error instanceof PictureError ? 'picture' : 'other';
}

const tell = (message: Answered): void => scope.postMessage(message, {});

scope.addEventListener('message', ({ data }) => {
  answer(data).then(
    (blob) => tell({ kind: 'done', ...(blob && { blob }) }),
    (error: unknown) =>
      tell({
        kind: 'failed',
        message: error instanceof Error ? error.message : String(error),
        error: kindOf(error),
      }),
  );
});
