/** Work in slices: the same result, with other tasks in between, and an end where it is aborted. */
import { expect, test } from 'vitest';
import { NotLoadedError, onDemand } from '../../src/engine/on-demand.ts';
import { atOnce, createPauses, inSlices, whenLoaded, type Work } from '../../src/engine/slices.ts';

/** `steps` steps of `milliseconds` each. */
function* work(steps: number, milliseconds: number): Generator<void, string> {
  for (let i = 0; i < steps; i++) {
    const start = performance.now();
    while (performance.now() - start < milliseconds);
    yield;
  }
  return 'done';
}

test('at once and in slices give the same', async () => {
  expect(atOnce(work(5, 0))).toBe('done');
  expect(await inSlices(work(5, 0))).toBe('done');
});

test('work in slices waits for code, once; work at once says what is missing', async () => {
  let loads = 0;
  const load = async (): Promise<{ double(n: number): number }> => {
    loads++;
    await Promise.resolve();
    return { double: (n) => 2 * n };
  };
  const code = onDemand('doubling', load);
  function* doubled(n: number): Work<number> {
    const twice = yield* whenLoaded(() => code.get().double(n));
    return yield* whenLoaded(() => code.get().double(twice));
  }
  expect(() => atOnce(doubled(1))).toThrow(NotLoadedError);
  expect(() => atOnce(doubled(1))).toThrow(/^doubling: not loaded; /);
  expect(loads).toBe(0);
  expect(await inSlices(doubled(1))).toBe(4);
  expect(atOnce(doubled(2))).toBe(8);
  expect(loads).toBe(1);
});

test('code that cannot be loaded ends the work with that error', async () => {
  const code = onDemand('code', () => Promise.reject(new TypeError('offline')));
  await expect(inSlices(whenLoaded(() => code.get()))).rejects.toThrow('offline');
});

test('an error of the work itself is its own', async () => {
  const fail = (): never => {
    throw new RangeError('too large');
  };
  await expect(inSlices(whenLoaded(fail))).rejects.toThrow(RangeError);
});

test('other tasks run between slices', async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  try {
    await inSlices(work(20, 5));
    expect(turns).toBeGreaterThan(3);
  } finally {
    clearInterval(timer);
  }
});

test('other tasks run between the steps of async work', async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const pause = createPauses();
  try {
    for (const _ of work(20, 5)) await pause();
    expect(turns).toBeGreaterThan(3);
  } finally {
    clearInterval(timer);
  }
});

test('an abort ends it', async () => {
  const abort = new AbortController();
  setTimeout(() => abort.abort(new Error('enough')), 1);
  await expect(inSlices(work(1000, 5), abort.signal)).rejects.toThrow('enough');
});
