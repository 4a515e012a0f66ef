/** The page's side of the worker: calls, aborts and errors as messages (test/browser/worker.test.ts has the rest). */
import { describe, expect, test, vi } from 'vitest';
import { DeviceError, DeviceLostError } from '../../src/engine/errors.ts';
import * as entry from '../../src/index.ts';
import { InvSRWorker, type WorkerLoadOptions } from '../../src/library/worker-client.ts';
import {
  type FromPage,
  type FromWorker,
  receivedError,
  sentError,
} from '../../src/library/worker-protocol.ts';
import { CheckpointError } from '../../src/weights/error.ts';

const MEMORY = { weightBytes: 1, otherBytes: 2, peakBytes: 3 };
const PICTURE = { width: 1, height: 1, data: new Uint8Array(4) };

/** A Worker that answers as `answer` says, after a clone of each message. */
class FakeWorker extends EventTarget {
  readonly heard: FromPage[] = [];
  isEnded = false;
  readonly #answer: (message: FromPage) => readonly FromWorker[];

  constructor(answer: (message: FromPage) => readonly FromWorker[]) {
    super();
    this.#answer = answer;
  }

  postMessage(message: FromPage): void {
    const clone = structuredClone(message);
    this.heard.push(clone);
    queueMicrotask(() => {
      for (const data of this.#answer(clone)) this.say(data);
    });
  }

  say(data: FromWorker): void {
    this.dispatchEvent(new MessageEvent('message', { data: structuredClone(data) }));
  }

  terminate(): void {
    this.isEnded = true;
  }
}

/** Opened, with a worker that answers upscale calls as told; other calls are done at once. */
async function open(
  upscale: (call: number) => readonly FromWorker[] = () => [],
  options: Partial<WorkerLoadOptions> = {},
) {
  const worker = new FakeWorker((message) => {
    if (message.kind === 'upscale') return upscale(message.call);
    return 'call' in message && message.kind !== 'abort'
      ? [{ kind: 'done', call: message.call, memory: MEMORY }]
      : [];
  });
  const sr = await InvSRWorker.open({
    worker: worker as unknown as Worker,
    weights: 'https://example.org/model/',
    ...options,
  });
  return { worker, sr };
}

describe('errors', () => {
  test.each([
    new DeviceLostError('gone'),
    new CheckpointError('damaged'),
    new RangeError('too far'),
    new DeviceError({ what: 'a', needed: 'b', got: 'c', remedy: 'd' }),
    Object.assign(new Error('x'), { name: 'QuotaExceededError' }),
  ])('%s arrives as it was', (error) => {
    const received = receivedError(structuredClone(sentError(error)));
    expect(received).toBeInstanceOf(error.constructor);
    expect(received.name).toBe(error.name);
    expect(received.message).toBe(error.message);
  });

  // AdapterNameError is of devices in Node.
  const classes = Object.values<unknown>(entry).filter(
    (value): value is typeof Error =>
      typeof value === 'function' &&
      value.prototype instanceof Error &&
      value !== entry.AdapterNameError,
  );
  test.each(classes)('$name arrives as one', (type) => {
    expect(receivedError({ name: type.name, message: '', fields: {} })).toBeInstanceOf(type);
  });

  test('with their fields', () => {
    const error = Object.assign(new Error('x'), { needed: 5 });
    expect(receivedError(structuredClone(sentError(error)))).toMatchObject({ needed: 5 });
  });

  test('what cannot be cloned of them is left out', () => {
    const error = Object.assign(new Error('x'), { needed: 5, retry: () => {} });
    expect(receivedError(structuredClone(sentError(error)))).toMatchObject({ needed: 5 });
  });

  test('what is thrown but no error has its text', () => {
    expect(receivedError(sentError('abc')).message).toBe('abc');
  });

  test('a call rejects with the error of the worker', async () => {
    const error = sentError(new RangeError('the region is outside'));
    const { sr } = await open((call) => [{ kind: 'failed', call, error }]);
    const failed = sr.upscale(PICTURE);
    await expect(failed).rejects.toThrow('the region is outside');
    await expect(failed).rejects.toBeInstanceOf(RangeError);
  });
});

test('progress and tiles reach their own call', async () => {
  const { sr } = await open((call) => [
    { kind: 'progress', call, progress: { phase: 'run', done: call, total: 9 } },
    { kind: 'tile', call, region: { x: call, y: 0, width: 1, height: 1 } },
    { kind: 'done', call, memory: MEMORY },
  ]);
  const seen: number[][] = [[], []];
  await Promise.all(
    seen.map((list) =>
      sr.upscale(PICTURE, {
        onProgress: (progress) => list.push('done' in progress ? progress.done : -1),
        onTile: ({ x }) => list.push(x),
      }),
    ),
  );
  expect(seen).toEqual([
    [1, 1],
    [2, 2],
  ]);
  expect(sr.memory).toEqual(MEMORY);
});

test('bytes are taken by the call itself, and of a larger buffer no others', async () => {
  for (const memory of [new ArrayBuffer(64), new SharedArrayBuffer(64)]) {
    const { sr, worker } = await open((call) => [{ kind: 'done', call, memory: MEMORY }]);
    const data = new Uint8Array(memory, 8, 4).fill(7);
    const call = sr.upscale({ width: 1, height: 1, data });
    data.fill(0);
    const sent = worker.heard.at(-1);
    if (sent?.kind !== 'upscale' || !('data' in sent.input)) throw new Error('nothing was sent');
    expect([...sent.input.data]).toEqual([7, 7, 7, 7]);
    expect(sent.input.data.buffer.byteLength).toBe(4);
    await call;
  }
});

test('an abort is told to the worker, and rejects with the reason when the worker has ended the call', async () => {
  const { sr, worker } = await open();
  const stop = new AbortController();
  const call = sr.upscale(PICTURE, { signal: stop.signal });
  let isOver = false;
  call.catch(() => {}).finally(() => (isOver = true));
  await new Promise(setImmediate);
  stop.abort('enough');
  await new Promise(setImmediate);
  expect(worker.heard.at(-1)).toEqual({ kind: 'abort', call: 1 });
  expect(isOver).toBe(false);
  worker.say({ kind: 'failed', call: 1, error: sentError(new DOMException('', 'AbortError')) });
  await expect(call).rejects.toBe('enough');
});

test('aborted before: nothing is sent', async () => {
  const { sr, worker } = await open();
  const signal = AbortSignal.abort('no');
  await expect(sr.upscale(PICTURE, { signal })).rejects.toBe('no');
  expect(worker.heard).toHaveLength(1);
});

test('a lost device is told by its error', async () => {
  const { sr, worker } = await open();
  worker.say({ kind: 'lost', error: sentError(new DeviceLostError('gone')) });
  expect(sr.lost.aborted).toBe(true);
  expect(sr.lost.reason).toBeInstanceOf(DeviceLostError);
});

test('check is told to the worker, its warnings to the page', async () => {
  const warnings: unknown[] = [];
  const options = { check: true, onWarning: (one: unknown) => void warnings.push(one) };
  const { worker } = await open(undefined, options);
  expect(worker.heard[0]).toMatchObject({ kind: 'open', settings: { check: true } });
  const warning = { stage: 'decode', layer: 'vae.conv_in', message: 'goes on in f32' } as const;
  worker.say({ kind: 'warning', warning });
  expect(warnings).toEqual([warning]);
});

test('what comes from the worker after the end of a call, or of all, is passed over', async () => {
  const { sr, worker } = await open((call) => [{ kind: 'done', call, memory: MEMORY }]);
  const seen: unknown[] = [];
  await sr.upscale(PICTURE, { onProgress: (progress) => seen.push(progress) });
  worker.say({ kind: 'progress', call: 1, progress: { phase: 'run', done: 1, total: 1 } });
  worker.say({ kind: 'failed', call: 1, error: sentError(new Error('late')) });
  sr.dispose();
  worker.say({ kind: 'tile', call: 7, region: { x: 0, y: 0, width: 1, height: 1 } });
  expect(seen).toEqual([]);
});

test('a message that cannot be read ends the worker', async () => {
  const { sr, worker } = await open();
  const call = sr.upscale(PICTURE);
  await new Promise(setImmediate);
  worker.dispatchEvent(new MessageEvent('messageerror'));
  await expect(call).rejects.toThrow('cannot be read');
  expect(worker.isEnded).toBe(true);
});

test('dispose ends the worker and what is under way; later calls say so', async () => {
  const { sr, worker } = await open();
  const call = sr.upscale(PICTURE);
  await new Promise(setImmediate);
  sr.dispose();
  await expect(call).rejects.toMatchObject({ name: 'AbortError' });
  expect(worker.isEnded).toBe(true);
  await expect(sr.upscale(PICTURE)).rejects.toMatchObject({ name: 'AbortError' });
});

test('a script that does not load is told', async () => {
  const worker = new FakeWorker(() => []);
  const opening = InvSRWorker.open({
    worker: worker as unknown as Worker,
    weights: 'https://example.org/',
  });
  worker.dispatchEvent(new Event('error'));
  await expect(opening).rejects.toThrow('its script did not load');
});

test('a canvas is handed over once', async () => {
  const { sr, worker } = await open((call) => [{ kind: 'done', call, memory: MEMORY }]);
  const canvas = { width: 1 } as unknown as OffscreenCanvas;
  await sr.upscale(PICTURE, { canvas });
  await sr.upscale(PICTURE, { canvas });
  const sent = worker.heard.flatMap((message) =>
    message.kind === 'upscale' ? [message.canvas] : [],
  );
  expect(sent).toEqual([{ number: 0, canvas: { width: 1 } }, { number: 0 }]);
});

test('aborted before an element has its bitmap: that is closed, the canvas is handed over by the next call', async () => {
  const { sr, worker } = await open((call) => [{ kind: 'done', call, memory: MEMORY }]);
  const canvas = { width: 1 } as unknown as OffscreenCanvas;
  const bitmap = { close: vi.fn() };
  vi.stubGlobal('createImageBitmap', async () => bitmap);
  try {
    const element = { naturalWidth: 1, naturalHeight: 1 } as HTMLImageElement;
    const stop = new AbortController();
    const aborted = sr.upscale(element, { canvas, signal: stop.signal });
    stop.abort('no');
    await expect(aborted).rejects.toBe('no');
    expect(bitmap.close).toHaveBeenCalledOnce();
    expect(worker.heard).toHaveLength(1);
  } finally {
    vi.unstubAllGlobals();
  }
  await sr.upscale(PICTURE, { canvas });
  expect(worker.heard.at(-1)).toMatchObject({ canvas: { number: 0, canvas: { width: 1 } } });
});
