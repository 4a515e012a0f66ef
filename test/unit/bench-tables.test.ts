/** Tables of records: what was not measured is not in them, and every bench has one. */
import { expect, test } from 'vitest';
import { modelReport, type ModelRecord } from '../../bench/report.ts';
import { tableOf } from '../../bench/show.ts';
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

test('every bench that keeps a record has its table', () => {
  const options = { top: 0, isMarkdown: false };
  const { machine } = kernelRecord;
  const encode = { stage: 'denoise', dispatches: 3, milliseconds: wall } as const;
  expect(tableOf({ bench: 'encode', machine, rows: [encode] }, options)).toMatch(/^denoise +3 +2/m);
  const network = { id: 'm unet f16', network: 'unet', precision: 'f16' } as const;
  const row = { ...network, milliseconds: wall, dispatches: 3, flops: 4e6 };
  const networks = { bench: 'networks', machine, model: 'm', rows: [row] } as const;
  expect(tableOf(networks, options)).toMatch(/^unet +f16 +2\.00 +1\.00 +3\.00 +– +3 +2\.00$/m);
  expect(tableOf(kernelRecord, options)).toContain(kernelRecord.rows[0]!.size);
  expect(tableOf(recordOf([common]), options)).toContain('wall, upload to readback');
  const other: unknown = { bench: 'torch' };
  expect(() => tableOf(other as ModelRecord, options)).toThrow('there is no table of "torch"');
});
