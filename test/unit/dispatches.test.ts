/** How many dispatches a tile of InvSR-1 takes on a GPU: the plans' lengths, from shapes alone. */
import { describe, expect, test } from 'vitest';
import { lower } from '../../src/graph/lower.ts';
import { STAGES } from '../../src/invsr/tile-graph.ts';
import { fullSizeGraph } from '../../src/invsr/full-size.ts';

const target = { family: 'alu', shaderF16: true, subgroupSize: 32 } as const;
const TILE = { tile: 128, precision: 'f16' } as const;

const countsOf = (compact: boolean): Record<string, number> => {
  const counts = STAGES.map((stage): [string, number] => {
    const plan = lower(fullSizeGraph(stage, TILE), target, { keep: () => false, compact });
    return [stage, plan.dispatches.length];
  });
  return Object.fromEntries([...counts, ['all', counts.reduce((sum, [, n]) => sum + n, 0)]]);
};

describe('one tile of 128 at full size, in f16', () => {
  test('activations as a whole', () => {
    expect(countsOf(false)).toEqual({
      noise_predictor: 116,
      encode: 101,
      denoise: 472,
      decode: 131,
      all: 820,
    });
  });

  test('activations in bands', () => {
    expect(countsOf(true)).toEqual({
      noise_predictor: 122,
      encode: 301,
      denoise: 472,
      decode: 674,
      all: 1569,
    });
  });
});
