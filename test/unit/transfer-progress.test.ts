/** Amounts, rates and times left, as people read them. */
import { expect, test } from 'vitest';
import { humanBytes, humanSeconds, paceClock } from '../../src/cli/transfer-progress.ts';

test.each([
  [0, '0 bytes'],
  [726.7, '727 bytes'],
  [1000, '1.00 kB'],
  [999_400, '999 kB'],
  [999_600, '1.00 MB'],
  [1_731_904_736, '1.73 GB'],
])('%d bytes', (bytes, text) => expect(humanBytes(bytes)).toBe(text));

test.each([
  [0.2, '1 s'],
  [99, '99 s'],
  [101, '2 min'],
  [7000, '1.9 h'],
])('%d seconds', (seconds, text) => expect(humanSeconds(seconds)).toBe(text));

test('the rate is of the last ten seconds, and what was there before is no work', () => {
  let now = 0;
  const pace = paceClock(() => now);
  const at = (ms: number, doneBytes: number) => {
    now = ms;
    return pace({ stage: 'download', doneBytes, totalBytes: 10_000 });
  };
  expect(at(0, 4000)).toEqual({ bytesPerSecond: undefined, etaSeconds: undefined }); // resumed
  expect(at(1000, 4500)).toEqual({ bytesPerSecond: 500, etaSeconds: 11 });
  at(5000, 6000);
  // The samples of the first second are out of the window.
  expect(at(12_000, 7400)).toEqual({ bytesPerSecond: 200, etaSeconds: 13 });
  // Started again: no rate until there is one.
  expect(at(12_100, 0).bytesPerSecond).toBeUndefined();
});
