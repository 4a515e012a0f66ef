/** Reads of neighbours become one request, and each gets its own bytes. */
import { expect, test } from 'vitest';
import { mergeReads } from '../../src/weights/merge-reads.ts';

const KIB = 1024;
const content = Uint8Array.from({ length: 9 * KIB * KIB }, (_, i) => (i * 7) % 251);

/** `requests` tells what was read, as [offset, length]. */
function reader() {
  const requests: [number, number][] = [];
  const read = mergeReads(async (offset, length, signal) => {
    requests.push([offset, length]);
    await Promise.resolve();
    signal?.throwIfAborted();
    if (offset + length > content.length) throw new Error('cut short');
    return content.slice(offset, offset + length);
  });
  return { read, requests };
}

test('neighbours in any order, gaps and overlaps included: one request', async () => {
  const { read, requests } = reader();
  const asked = [
    [5000, 10],
    [100, 50],
    [150, 4],
    [140, 30],
    [5010 + 64 * KIB, 8],
  ] as const;
  const parts = await Promise.all(asked.map(([offset, length]) => read(offset, length)));
  for (const [i, [offset, length]] of asked.entries()) {
    expect(parts[i]).toEqual(content.slice(offset, offset + length));
  }
  expect(requests).toEqual([[100, 5018 + 64 * KIB - 100]]);
});

test('what is far away, and what is asked for later, is another one', async () => {
  const { read, requests } = reader();
  await Promise.all([read(0, 8), read(9 + 64 * KIB, 8)]);
  await read(8, 8);
  expect(requests).toEqual([
    [0, 8],
    [9 + 64 * KIB, 8],
    [8, 8],
  ]);
});

test('no range grows beyond 4 MiB, unless it is asked for', async () => {
  const { read, requests } = reader();
  const pieces = Array.from({ length: 30 }, (_, i) => read(i * 300 * KIB, 300 * KIB));
  await Promise.all(pieces);
  expect(requests.map(([, length]) => length / 300 / KIB)).toEqual([13, 13, 4]);
  await read(0, 5 * KIB * KIB);
  expect(requests.at(-1)).toEqual([0, 5 * KIB * KIB]);
});

test('an abort or a failure ends the reads of its own range', async () => {
  const { read, requests } = reader();
  const stop = new AbortController();
  const ends = Promise.allSettled([
    read(0, 8, stop.signal),
    read(8, 8),
    read(16, 8, stop.signal),
    read(content.length - 4, 8),
  ]);
  stop.abort(new Error('enough'));
  const reasons = (await ends).map((end) =>
    end.status === 'rejected' ? (end.reason as Error).message : 'read',
  );
  expect(reasons).toEqual(['enough', 'read', 'enough', 'cut short']);
  expect(requests).toHaveLength(3);
});
