/** How many dispatches a tile of InvSR-1 takes on a GPU: the plans' lengths, from shapes alone. */
import { describe, expect, test } from 'vitest';
import type { Dispatch } from '../../src/engine/plan.ts';
import { lower } from '../../src/graph/lower.ts';
import { STAGES } from '../../src/invsr/tile-graph.ts';
import { fullSizeGraph } from '../../src/invsr/full-size.ts';

const target = { family: 'alu', shaderF16: true, subgroupSize: 32 } as const;
const TILE = { tile: 128, precision: 'f16' } as const;

/** Products in parts take a second dispatch; counted apart, since tuning decides on them. */
const isPart = ({ kernel }: Dispatch): boolean => kernel.name === 'gemmPartial';

const countsOf = (
  compact: boolean,
  counted = (dispatch: Dispatch): boolean => !isPart(dispatch),
): Record<string, number> => {
  const counts = STAGES.map((stage): [string, number] => {
    const plan = lower(fullSizeGraph(stage, TILE), target, { keep: () => false, compact });
    return [stage, plan.dispatches.filter(counted).length];
  });
  return Object.fromEntries([...counts, ['all', counts.reduce((sum, [, n]) => sum + n, 0)]]);
};

describe('one tile of 128 at full size, in f16', () => {
  test('activations as a whole', () => {
    expect(countsOf(false)).toEqual({
      noise_predictor: 44,
      encode: 43,
      denoise: 219,
      decode: 54,
      all: 360,
    });
  });

  test('products in parts', () => {
    expect(countsOf(false, isPart)).toEqual({
      noise_predictor: 1,
      encode: 1,
      denoise: 33,
      decode: 0,
      all: 35,
    });
  });

  test('both together: at most 400', () => {
    expect(countsOf(false, () => true)['all']).toBe(395);
  });

  test('activations in bands', () => {
    expect(countsOf(true)).toEqual({
      noise_predictor: 53,
      encode: 266,
      denoise: 235,
      decode: 635,
      all: 1189,
    });
  });
});
