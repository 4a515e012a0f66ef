/** Work in slices: the same result, with other tasks in between, and an end where it is aborted. */
import { expect, test } from 'vitest';
import { NotLoadedError, onDemand } from '../../src/engine/on-demand.ts';
import { atOnce, inSlices, letGo, whenLoaded, type Work } from '../../src/engine/slices.ts';

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
  try {
    for (const _ of work(20, 5)) await letGo();
    expect(turns).toBeGreaterThan(3);
  } finally {
    clearInterval(timer);
  }
});

test('what follows long work in the same task waits for the next one', async () => {
  let steps = 0;
  function* counted(): Work<void> {
    for (; steps < 3; steps++) yield;
  }
  await letGo(); // begins this task's slice, which the first work uses up
  const first = inSlices(work(4, 5));
  const second = inSlices(counted());
  expect(steps).toBe(0);
  await Promise.all([first, second]);
  expect(steps).toBe(3);
});

test('an abort ends it', async () => {
  const abort = new AbortController();
  setTimeout(() => abort.abort(new Error('enough')), 1);
  await expect(inSlices(work(1000, 5), abort.signal)).rejects.toThrow('enough');
});
