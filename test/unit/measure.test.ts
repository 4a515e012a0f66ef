/** The statistics behind every figure that the benches print. */
import { expect, test } from 'vitest';
import type { DispatchTiming } from '../../src/engine/profiler.ts';
import { groupTimings, medianTimings, networkOf, spreadOf } from '../../src/invsr/measure.ts';

const timing = (name: string, milliseconds: number, path = 'unet.conv_in'): DispatchTiming => ({
  path,
  name,
  variant: 'v',
  begin: 0,
  submit: 0,
  workgroups: [1, 1, 1],
  nanoseconds: 1e6 * milliseconds,
  flops: 10,
  bytes: 20,
});

test('a spread interpolates between samples, in any order', () => {
  const spread = spreadOf([50, 10, 40, 20, 30]);
  expect(spread.median).toBe(30);
  expect(spread.p10).toBeCloseTo(14, 10);
  expect(spread.p90).toBeCloseTo(46, 10);
  expect(spread.runs).toBe(5);
  expect(spreadOf([7])).toEqual({ p10: 7, median: 7, p90: 7, runs: 1 });
  expect(spreadOf([]).median).toBeNaN();
});

test('medians are taken dispatch by dispatch', () => {
  const medians = medianTimings([
    [timing('a', 1), timing('b', 30)],
    [timing('a', 9), timing('b', 10)],
    [timing('a', 2), timing('b', 20)],
  ]);
  expect(medians.map(({ nanoseconds }) => nanoseconds)).toEqual([2e6, 20e6]);
  expect(medianTimings([])).toEqual([]);
});

test('groups sum what shares a key, the longest first', () => {
  const groups = groupTimings([timing('a', 1), timing('b', 5), timing('a', 2)], ({ name }) => name);
  expect(groups).toEqual([
    { key: 'b', count: 1, milliseconds: 5, flops: 10, bytes: 20 },
    { key: 'a', count: 2, milliseconds: 3, flops: 20, bytes: 40 },
  ]);
});

test('layers belong to their network, the rest to none', () => {
  expect(networkOf('vae.encoder.conv_in')).toBe('vae.encoder');
  expect(networkOf('unet.mid_block.attentions.0')).toBe('unet');
  expect(networkOf('noise_predictor.encoder.conv_in')).toBe('noise_predictor');
  expect(networkOf('step0.latents')).toBe('other');
});
