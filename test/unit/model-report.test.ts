/** The table of `bench model`: what was not measured is not in it. */
import { expect, test } from 'vitest';
import { modelReport, type ModelRecord } from '../../bench/report.ts';
import { kernelRecord } from '../harness/bench-records.ts';

const wall = { p10: 1, median: 2, p90: 3, runs: 5 };
const unet = { key: 'unet', count: 1, milliseconds: 1.5, flops: 3e6, bytes: 1 };
const common = { precision: 'f16', flops: 4e6, wall, networks: [], kinds: [] } as const;
const recordOf = (paths: ModelRecord['paths']): ModelRecord => {
  const { machine } = kernelRecord;
  return { bench: 'model', machine, model: 'm', tile: 128, rows: [], paths };
};
const table = (record: ModelRecord): string => modelReport(record, { top: 5, isMarkdown: true });

test('GPU times where the device told them', () => {
  const text = table(
    recordOf([{ ...common, gpuMilliseconds: 1.5, networks: [unet], kinds: [unet] }]),
  );
  expect(text).toContain('| unet | 1.50 | 2.00 |');
  expect(text).toContain('| sum of GPU times | 1.50 | 2.67 |');
  expect(text).toContain('| unet | 1 | 1.50 | 100.0 % |');
  expect(text).toContain('| vae.encoder | – |');
});

test('without timestamps the wall alone, and why', () => {
  const text = table(recordOf([common]));
  expect(text).toContain('| wall, upload to readback | 2.00 (1.00–3.00) | 2.00 |');
  expect(text).toContain('no GPU times: ');
  expect(text).not.toMatch(/sum of GPU|unet|kinds of dispatches|NaN/);
});
