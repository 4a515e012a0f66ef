/** Reads run ahead, uses keep their order, memory is never shared, and an end leaves nothing running. */
import { expect, test } from 'vitest';
import { readAhead, type ReadStep } from '../../src/weights/read-ahead.ts';

const wait = (milliseconds: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

/** Steps that write their number into their memory; `log` tells what happened when. */
function steps(count: number, options: { failRead?: number; failUse?: number } = {}) {
  const log: string[] = [];
  let reading = 0;
  let peak = 0;
  const memories = new Set<ArrayBuffer>();
  const made = Array.from({ length: count }, (_, i): ReadStep => ({
    bytes: 4 + (i % 3),
    async read(memory) {
      memories.add(memory.buffer);
      peak = Math.max(peak, ++reading);
      log.push(`read ${i}`);
      // Later ones are faster: they must wait for their turn all the same.
      await wait(Math.max(1, 6 - i));
      reading--;
      if (options.failRead === i) throw new Error(`read ${i} failed`);
      memory.fill(i, 0, 4);
    },
    async use(memory) {
      log.push(`use ${i}`);
      await wait(2);
      if (options.failUse === i) throw new Error(`use ${i} failed`);
      expect([...memory.subarray(0, 4)]).toEqual([i, i, i, i]);
      log.push(`used ${i}`);
    },
  }));
  return { made, log, peak: () => peak, reading: () => reading, memories };
}

test('uses in order, reads at most `depth` ahead, in as many pieces of memory', async () => {
  const { made, log, peak, memories } = steps(9);
  await readAhead(made, 3);
  expect(log.filter((line) => line.startsWith('used'))).toEqual(
    Array.from({ length: 9 }, (_, i) => `used ${i}`),
  );
  expect(peak()).toBe(3);
  expect(memories.size).toBe(3);
  expect(log.indexOf('read 3')).toBeGreaterThan(log.indexOf('used 0'));
  expect(log.indexOf('read 3')).toBeLessThan(log.indexOf('use 1'));
});

test('fewer steps than memories, and none', async () => {
  const { made, memories } = steps(1);
  await readAhead(made, 3);
  expect(memories.size).toBe(1);
  await readAhead([], 3);
});

test.each([{ failRead: 3 }, { failUse: 2 }])('%j: its error, and no read goes on', async (fail) => {
  const { made, log, reading } = steps(9, fail);
  await expect(readAhead(made, 3)).rejects.toThrow(/^(read 3|use 2) failed$/);
  expect(reading()).toBe(0);
  const before = log.length;
  await wait(10);
  expect(log.length).toBe(before);
  expect(log).not.toContain('use 4');
});
