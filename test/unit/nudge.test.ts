import { afterEach, describe, expect, test, vi } from 'vitest';
import { adaptRate } from '../../src/engine/submits.ts';

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.resetModules();
});

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0';
const CHROME = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147';

/** A device whose news come when the test says so. `asked` counts submits of nothing. */
async function fakeDevice(userAgent: string) {
  vi.useFakeTimers();
  vi.stubGlobal('navigator', { userAgent });
  const { lossTold, nudged } = await import('../../src/engine/nudge.ts');
  const seen = { asked: 0, lose: (): void => {}, isGone: false };
  const device = {
    queue: {
      submit(commands: readonly GPUCommandBuffer[]) {
        if (commands.length === 0) seen.asked++;
      },
    },
    lost: new Promise<void>((resolve) => (seen.lose = resolve)),
    pushErrorScope: () => {},
    popErrorScope: async () => {
      if (seen.isGone) throw new Error('gone');
      await new Promise((resolve) => setTimeout(resolve, 0.1));
      return null;
    },
  } as unknown as GPUDevice;
  /** How often it is asked in 40 ms. */
  const asksIn40 = async (): Promise<number> => {
    const before = seen.asked;
    await vi.advanceTimersByTimeAsync(40);
    return seen.asked - before;
  };
  const wait = () => {
    let tell = (): void => {};
    let fail: (error: Error) => void = () => {};
    const news = nudged(device, new Promise<void>((...ends) => ([tell, fail] = ends)));
    return { news, tell: () => tell(), fail: (error: Error) => fail(error) };
  };
  return { seen, asksIn40, wait, told: () => lossTold(device) };
}

describe('in Firefox the device is asked again', () => {
  test('until the news are there, and again for the next ones', async () => {
    const { asksIn40, wait } = await fakeDevice(FIREFOX);
    for (let i = 0; i < 2; i++) {
      const { news, tell } = wait();
      expect(await asksIn40()).toBeGreaterThan(5);
      tell();
      await news;
      expect(await asksIn40()).toBe(0);
    }
  });

  test('no more often for two who wait, and until both have their news', async () => {
    const { asksIn40, wait } = await fakeDevice(FIREFOX);
    const first = wait();
    const once = await asksIn40();
    const second = wait();
    expect(await asksIn40()).toBe(once);
    first.tell();
    expect(await asksIn40()).toBe(once);
    second.fail(new Error('unmapped'));
    await expect(second.news).rejects.toThrow('unmapped');
    expect(await asksIn40()).toBe(0);
  });

  test.each(['lost', 'gone'])('until it is %s, though the news never come', async (end) => {
    const { seen, asksIn40, wait } = await fakeDevice(FIREFOX);
    void wait();
    expect(await asksIn40()).toBeGreaterThan(5);
    if (end === 'lost') seen.lose();
    seen.isGone = end === 'gone';
    await vi.advanceTimersByTimeAsync(5);
    expect(await asksIn40()).toBe(0);
    void wait();
    expect(await asksIn40()).toBe(0);
  });

  test('in a hidden tab too, whose timers tick once a second', async () => {
    vi.stubGlobal('document', { hidden: true });
    const { seen, asksIn40, wait } = await fakeDevice(FIREFOX);
    // Of the page's timers, that is; the device's answers are made of them here.
    const timers = vi.spyOn(globalThis, 'setTimeout');
    void wait();
    expect(await asksIn40()).toBeGreaterThan(5);
    expect(timers.mock.calls.every(([, milliseconds]) => milliseconds === 0.1)).toBe(true);
    seen.lose();
  });
});

test('a failure in Firefox may be of a loss that is told with the next look, every 100 ms', async () => {
  const { seen, told } = await fakeDevice(FIREFOX);
  let isTold = false;
  const waits = told().then(() => (isTold = true));
  await vi.advanceTimersByTimeAsync(100);
  expect(isTold).toBe(false);
  seen.lose();
  await waits;
  const other = (await fakeDevice(FIREFOX)).told(); // not of a loss
  await vi.advanceTimersByTimeAsync(200);
  await other;
});

test('in Chrome it is not', async () => {
  const { asksIn40, wait } = await fakeDevice(CHROME);
  const { news, tell } = wait();
  expect(await asksIn40()).toBe(0);
  tell();
  await news;
});

// Looks count from the submit, or go on from the one before.
test.each([
  ['the submit', (milliseconds: number) => 10 * Math.ceil(milliseconds / 10)],
  ['the look before', (milliseconds: number, i: number) => milliseconds + ((i * 7) % 10)],
])('Deno looks every 10 ms from %s: a submit has its budget all the same', async (_, told) => {
  vi.stubGlobal('Deno', {});
  const { workMsOf } = await import('../../src/engine/nudge.ts');
  const [budgetMs, perMs] = [8, 1000];
  let rate = perMs;
  const workMs = Array.from({ length: 100 }, (__, i) => {
    const milliseconds = (rate * budgetMs) / perMs;
    rate = adaptRate(rate, rate * budgetMs, workMsOf(told(milliseconds, i)));
    return milliseconds;
  });
  expect(Math.min(...workMs)).toBeGreaterThan(budgetMs / 2);
  expect(Math.max(...workMs)).toBeLessThan(2 * budgetMs);
});
