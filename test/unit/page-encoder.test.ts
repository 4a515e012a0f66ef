/** The page's side of the encoder, with a worker that answers when it is told to. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { FileRequest } from '../../demo/picture/encode.ts';
import { type Answered, encode } from '../../demo/picture/encoder.ts';

const BLOB = new Blob(['file']);
/** A PNG of three pieces. */
const REQUEST = {
  how: { region: { x: 0, y: 0, width: 600, height: 1 }, scale: 4, format: 'png' },
} as FileRequest;

let isEnded: boolean;
let listeners: number;
let answers: (kind: string) => boolean;

class FakeWorker extends EventTarget {
  override addEventListener(...how: Parameters<EventTarget['addEventListener']>): void {
    listeners++;
    super.addEventListener(...how);
  }
  postMessage({ kind }: { readonly kind: string }): void {
    if (!answers(kind)) return;
    const data: Answered = { kind: 'done', ...(kind === 'finish' && { blob: BLOB }) };
    queueMicrotask(() => this.dispatchEvent(new MessageEvent('message', { data })));
  }
  terminate(): void {
    isEnded = true;
  }
}

beforeEach(() => {
  [isEnded, listeners, answers] = [false, 0, () => true];
  vi.stubGlobal('Worker', FakeWorker);
});
afterEach(() => vi.unstubAllGlobals());

const start = (
  signal: AbortSignal,
  onProgress: (share: number) => void = () => {},
): Promise<Blob> => encode(REQUEST, () => [], { signal, onProgress });

test('a file in pieces listens to its worker once, and ends it', async () => {
  const shares: number[] = [];
  const made = start(new AbortController().signal, (share) => shares.push(share));
  expect(await made).toBe(BLOB);
  expect(shares).toEqual([0, 1 / 3, 2 / 3]);
  expect([listeners, isEnded]).toEqual([2, true]);
});

test.each(['begin', 'piece', 'finish'])('stopped while the worker is at %s: ended', async (at) => {
  const controller = new AbortController();
  answers = (kind) => kind !== at;
  const made = start(controller.signal);
  const reason = new Error('closed');
  setTimeout(() => controller.abort(reason));
  await expect(made).rejects.toBe(reason);
  expect(isEnded).toBe(true);
});
