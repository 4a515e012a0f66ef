/** Work in slices: the same result, with other tasks in between, and an end where it is aborted. */
import { expect, test } from 'vitest';
import { atOnce, createPauses, inSlices } from '../../src/engine/slices.ts';

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
