/** What happens to an image around the networks, against the official code's numbers. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tileGrid } from '../../src/invsr/official-frame.ts';
import { affine } from '../../src/kernels/affine.ts';
import { waveletLow } from '../../src/kernels/wavelet-low.ts';
import { ycbcrFix } from '../../src/kernels/ycbcr-fix.ts';
import { reflectPad } from '../../src/kernels/reflect-pad.ts';
import { bicubic, bicubicAntialias } from '../../src/kernels/resize.ts';
import { blendTile } from '../../src/kernels/tiles.ts';
import { adapterNames } from '../harness/device.ts';
import {
  casesOf,
  expectClose,
  F16_NMSE,
  type Floats,
  KERNEL_RUNS,
  openKernelRun,
  type Run,
  type Value,
  valueOf,
  watched,
} from '../harness/golden-kernels.ts';
import { type Golden, openGolden, toNhwc } from '../harness/goldens.ts';

const open = async (name: string) => watched(await openGolden(`networks/${name}`));
const goldens = {
  bicubic: await open('bicubic'),
  color_fix: await open('color_fix'),
  reflect_pad: await open('reflect_pad'),
  splitter: await open('splitter'),
};

/** Integers and weights without a kernel of ours: test/unit/tiles.test.ts compares them. */
const ELSEWHERE = /^splitter\/.*(kernel1d|starts|image)|^reflect_pad\/.*total_top_left$/;

/**
 * What one rounding to f32 costs a value of an image at most. Both sides round, dozens of times, but
 * rarely in the same direction; limits are two to four times the largest error seen.
 */
const ROUNDING = 2 ** -24;

/** A golden of f64 as f32. */
function rounded(golden: Golden, name: string): Floats {
  const { shape, data } = golden.at(name);
  return { shape, data: Float32Array.from(data as Float64Array) };
}

describe.each(KERNEL_RUNS)('$adapter $precision', ({ adapter, precision }) => {
  let run: Run;
  let close: () => void;
  beforeAll(async () => {
    ({ run, close } = await openKernelRun(adapter));
  });
  afterAll(() => close());

  const stored = (tensor: Floats): Value => valueOf(precision, toNhwc(tensor));
  const limit = (roundings: number) =>
    precision === 'f16' ? { nmse: F16_NMSE } : { abs: roundings * ROUNDING };
  const resized = (name: string): string[] =>
    [...goldens.bicubic.tensors.keys()].filter((key) => key.endsWith(name));

  test.each(resized('.x4'))('bicubic %s', async (key) => {
    const x = stored(goldens.bicubic.f32(`${key.split('.')[0]}.lr`));
    const expected = toNhwc(goldens.bicubic.f32(key));
    const [, height = 0, width = 0] = expected.shape;
    const up = await run({ x }, (types, target) => bicubic(types, { height, width }, target));
    expectClose(up, expected, limit(6)); // 2 seen
  });

  test.each(resized('.x4_minus1_1'))('bicubic and centred %s', async (key) => {
    const x = stored(goldens.bicubic.f32(`${key.split('.')[0]}.lr`));
    const expected = toNhwc(goldens.bicubic.f32(key));
    const [, height = 0, width = 0] = expected.shape;
    const up = await run({ x }, (types, target) => bicubic(types, { height, width }, target));
    const actual = await run({ a: up }, (types, target) =>
      affine(types, { alpha: 2, gamma: -1 }, target),
    );
    // the fourth channel becomes -1: no network's weights see it
    const filled = expected.data.map((v, i) => (i % 4 === 3 ? -1 : v));
    expectClose(
      actual,
      { ...expected, data: filled },
      // twice the bicubic's; in f16 values below 1 are rounded (2^-12) before doubling and after
      { abs: precision === 'f16' ? 3 * 2 ** -12 : 12 * ROUNDING },
    );
  });

  test.each(resized('_antialias'))('bicubicAntialias %s', async (key) => {
    const x = stored(goldens.bicubic.f32(`${key.split('.')[0]}.lr`));
    const expected = toNhwc(goldens.bicubic.f32(key));
    const [, height = 0, width = 0] = expected.shape;
    const actual = await run({ x }, (types, target) =>
      bicubicAntialias(types, { height, width }, target),
    );
    expectClose(actual, expected, limit(12)); // 4 seen: the official code rounds rows in between
  });

  test.each(casesOf(goldens.reflect_pad, 'in'))('reflectPad %s', async (name) => {
    const golden = goldens.reflect_pad;
    const passes = [...(golden.at(`${name}.pads_l_r_t_b`).data as Int32Array)];
    let x = stored(golden.f32(`${name}.in`));
    while (passes.length > 0) {
      const [left = 0, right = 0, top = 0, bottom = 0] = passes.splice(0, 4);
      x = await run({ x }, (types, target) =>
        reflectPad(types, { left, right, top, bottom }, target),
      );
    }
    expectClose(x as Value<Float32Array>, toNhwc(golden.f32(`${name}.out`)), { abs: 0 });
  });
});

// The result image is f32 whatever the precision of the networks.
describe.each(adapterNames)('%s', (adapter) => {
  let run: Run;
  let close: () => void;
  beforeAll(async () => {
    ({ run, close } = await openKernelRun(adapter));
  });
  afterAll(() => close());

  describe.each(casesOf(goldens.color_fix, 'content'))('colour fix %s', (name) => {
    const golden = goldens.color_fix;
    const content = valueOf('f32', toNhwc(golden.f32(`${name}.content`)));
    const style = valueOf('f32', toNhwc(golden.f32(`${name}.style`)));

    test('wavelet', async () => {
      let low: Value<Float32Array> = await run({ a: style, b: content }, (types, target) =>
        affine(types, { alpha: 1, beta: -1 }, target),
      );
      for (const dilation of [1, 2, 4, 8, 16]) {
        low = await run({ x: low }, (types, target) => waveletLow(types, { dilation }, target));
      }
      const fixed = await run({ a: content, b: low }, (types, target) =>
        affine(types, { alpha: 1, beta: 1 }, target),
      );
      const limit = { abs: 8 * ROUNDING }; // 3 seen
      expectClose(fixed, toNhwc(rounded(golden, `${name}.wavelet_content_f64`)), limit);
      expectClose(fixed, toNhwc(golden.f32(`${name}.wavelet`)), limit);
    });

    test('ycbcr', async () => {
      const fixed = await run({ content, style }, (types, target) => ycbcrFix(types, {}, target));
      const limit = { abs: 16 * ROUNDING }; // 6 seen: sums up to 2, from which offsets are taken
      expectClose(fixed, toNhwc(rounded(golden, `${name}.ycbcr_content_f64`)), limit);
      expectClose(fixed, toNhwc(golden.f32(`${name}.ycbcr`)), limit);
    });
  });

  test.each(casesOf(goldens.splitter, 'patch_results'))('blendTile %s', async (name) => {
    const golden = goldens.splitter;
    const [height = 0, width = 0, tile = 0, stride = 0, scale = 0] = name
      .split(/x|_p|_s(?:f)?/)
      .map(Number);
    const grid = tileGrid({ height, width }, { tile, stride, scale });
    const count = grid.tiles.length;
    const side = tile * scale;
    const weights = (of: (t: (typeof grid.tiles)[number]) => Float32Array): Value =>
      valueOf('f32', {
        shape: [count, side],
        data: Float32Array.from(grid.tiles.flatMap((t) => [...of(t)])),
      });
    const inputs = {
      patches: valueOf('f32', toNhwc(golden.f32(`${name}.patch_results`))),
      origins: valueOf('u32', {
        shape: [count, 2],
        data: Uint32Array.from(grid.tiles.flatMap(({ y, x }) => [y, x])),
      }),
      weightsY: weights(({ y }) => grid.rowWeights.get(y)!),
      weightsX: weights(({ x }) => grid.columnWeights.get(x)!),
    };
    const expected = toNhwc(rounded(golden, `${name}.gathered_f64`));
    let initial = new Float32Array(expected.data.length);
    let blended: Value<Float32Array> | undefined;
    for (let index = 0; index < count; index++) {
      const constants = { index, scale, height: height * scale, width: width * scale };
      blended = await run(inputs, (types, target) => blendTile(types, constants, target), {
        initial,
      });
      initial = new Float32Array(blended.data);
    }
    expectClose(blended!, expected, { abs: 6 * ROUNDING }); // 2 seen
  });
});

// Last: vitest runs the tests of a file in order.
test('no golden was forgotten', () => {
  const unread = Object.entries(goldens).flatMap(([file, golden]) =>
    golden.unread().map((name) => `${file}/${name}`),
  );
  expect(unread.filter((name) => !ELSEWHERE.test(name))).toEqual([]);
});
