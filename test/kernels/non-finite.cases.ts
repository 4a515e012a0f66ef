import { type DType, sizeOf } from '../../src/engine/kernel.ts';
import { nonFinite, nonFiniteReference } from '../../src/kernels/non-finite.ts';
import { normal } from '../harness/random.ts';
import type { KernelCase } from './cases.ts';

/** Finite but for `found`: index → value. */
const nonFiniteCase = (
  name: string,
  dtype: DType,
  shape: readonly number[],
  found: Readonly<Record<number, number>>,
  { flags = 0, tags = ['edge'] as KernelCase['tags'] } = {},
): KernelCase => {
  const x = { dtype, shape };
  const constants = { mark: 7 };
  const initial = Uint32Array.of(flags, 0, 0, 0);
  return {
    name: `nonFinite ${dtype} [${shape.join(',')}] ${name}`,
    tags,
    inputs: { x },
    data: (_, type, seed) => {
      const values = normal(sizeOf(type.shape), seed);
      for (const [index, value] of Object.entries(found)) values[Number(index)] = value;
      return values;
    },
    kernel: (target) => nonFinite({ x }, constants, target),
    reference: ({ x }) => nonFiniteReference({ x: x as Float32Array }, constants, initial),
    initial,
  };
};

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

export const cases: readonly KernelCase[] = [
  nonFiniteCase('all finite', 'f32', [1, 3, 5, 4], {}),
  nonFiniteCase('all finite', 'f16', [1, 3, 5, 4], {}),
  // the largest finite numbers and the smallest subnormals
  nonFiniteCase('extremes', 'f32', [8], { 0: 3.4028234663852886e38, 5: -1e-45 }),
  nonFiniteCase('extremes', 'f16', [8], { 0: -65504, 5: 6e-8 }),
  // every component of a vector, either half of a word
  ...[0, 1, 2, 3].flatMap((i) => [
    nonFiniteCase(`NaN at ${4 + i}`, 'f32', [12], { [4 + i]: nan }),
    nonFiniteCase(`NaN at ${4 + i}`, 'f16', [12], { [4 + i]: nan }),
    nonFiniteCase(`-Infinity at ${i}`, 'f16', [12], { [i]: -inf }),
  ]),
  nonFiniteCase('Infinity', 'f32', [2, 4], { 0: inf }),
  nonFiniteCase('rounds to Infinity', 'f16', [4], { 2: 65520 }),
  nonFiniteCase('all NaN', 'f16', [5, 68], Object.fromEntries(Array(340).fill(nan).entries())),
  nonFiniteCase('an earlier mark stays', 'f32', [4], { 0: nan }, { flags: 9 }),
  nonFiniteCase('a later mark gives way', 'f32', [4], { 0: nan }, { flags: 3 }),
  nonFiniteCase('real', 'f16', [1, 64, 64, 320], { 1_000_000: inf }, { tags: ['real'] }),
];
