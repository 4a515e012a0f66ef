import { afterEach, expect, test, vi } from 'vitest';
import { adaptRate } from '../../src/engine/submits.ts';

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.resetModules();
});

test.each([
  ['Firefox', 'Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0', true],
  [
    'Chrome',
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147',
    false,
  ],
])('in %s the queue is asked again until the news are there', async (_, userAgent, isAsked) => {
  vi.useFakeTimers();
  vi.stubGlobal('navigator', { userAgent });
  const { workDone } = await import('../../src/engine/nudge.ts');
  let tell = (): void => {};
  const submit = vi.fn<(commands: readonly GPUCommandBuffer[]) => void>();
  const queue = {
    submit,
    onSubmittedWorkDone: () =>
      new Promise<undefined>((resolve) => (tell = () => resolve(undefined))),
  } as unknown as GPUQueue;
  const done = workDone(queue);
  await vi.advanceTimersByTimeAsync(20);
  const { length } = submit.mock.calls;
  expect(length > 2).toBe(isAsked);
  expect(submit.mock.calls.every(([commands]) => commands.length === 0)).toBe(true);
  tell();
  await done;
  await vi.advanceTimersByTimeAsync(20);
  expect(submit.mock.calls).toHaveLength(length);
});

test('Deno tells after ten, twenty … milliseconds: a submit has its budget of work all the same', async () => {
  vi.stubGlobal('Deno', {});
  const { NEWS_MS } = await import('../../src/engine/nudge.ts');
  const [budgetMs, perMs] = [8, 1000];
  let rate = perMs;
  const workMs = Array.from({ length: 100 }, () => {
    const milliseconds = (rate * budgetMs) / perMs;
    rate = adaptRate(rate, rate * budgetMs, 10 * Math.ceil(milliseconds / 10) - NEWS_MS);
    return milliseconds;
  });
  // One more tick at most than the budget, and what the step after a short one may add: a factor of four.
  expect(Math.min(...workMs)).toBeGreaterThan(budgetMs / 4);
  expect(Math.max(...workMs)).toBeLessThan(4 * (budgetMs + 10));
});
