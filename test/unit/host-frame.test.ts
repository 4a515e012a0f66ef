/**
 * The host frame with networks that can be predicted: whatever the size, tile, overlap, batch, scale
 * and colour fix, its rows are the plain blend of the patches, made here in f64 with the whole image
 * at hand.
 */
import { describe, expect, test } from 'vitest';
import { upscaleRows, type PatchStore } from '../../src/invsr/host-frame.ts';
import { type HostPlan, type HostPlanOptions, planHost } from '../../src/invsr/host-plan.ts';
import { pixelRows, type RowSource } from '../../src/invsr/row-source.ts';
import { waveletLowReference } from '../../src/kernels/wavelet-low.ts';
import { ycbcrFixReference } from '../../src/kernels/ycbcr-fix.ts';
import { reflectPadReference } from '../../src/kernels/reflect-pad.ts';
import { bicubicAntialiasReference } from '../../src/kernels/resize.ts';
import { f16BitsToF32, f32ToF16Bits } from '../../src/weights/half.ts';
import type { PatchSource } from '../../src/invsr/tile-source.ts';
import { fakeNetworks } from '../harness/fake-networks.ts';
import { uniform } from '../harness/random.ts';

/** Networks whose patches differ wherever two tiles overlap. */
const ERROR = ({ y, x }: { y: number; x: number }, i: number, j: number): number =>
  0.2 * Math.sin(0.7 * (y | 0) + 1.3 * (x | 0) + 0.05 * i + 0.11 * j);

interface Picture extends RowSource {
  readonly data: Float32Array;
}

function pictureOf(width: number, height: number, channels: 3 | 4, seed: number): Picture {
  const data = Float32Array.from({ length: height * width * channels }, uniform(seed));
  const read: RowSource['read'] = async (first, count) =>
    data.slice(first * width * channels, (first + count) * width * channels);
  return { width, height, channels, data, read };
}

const OPTIONS: HostPlanOptions = { tile: 16, tileBatch: 3, overlap: 0.125, colorFix: 'none' };

/** All rows, and the calls that brought them. */
async function collect(
  plan: HostPlan,
  source: RowSource,
  { depth = 16, store, ahead = 1 }: { depth?: 8 | 16; store?: PatchStore; ahead?: number } = {},
) {
  const values: number[] = [];
  const networks = fakeNetworks({ tile: plan.tile, error: ERROR, ahead });
  let next = store?.rowsDone ?? 0;
  for await (const rows of upscaleRows(plan, source, networks, { depth, store })) {
    expect(rows.first).toBe(next);
    next += rows.count;
    for (const v of rows.data) values.push(v);
  }
  expect(next).toBe(plan.result.height);
  return Float64Array.from(values);
}

/** The same with everything whole in memory, channels padded to four. */
function expected(plan: HostPlan, { data, width, height, channels }: Picture): Float64Array {
  const four = new Float32Array(4 * width * height).map((_, i) =>
    i % 4 === 3 ? (channels === 4 ? data[i]! : 0) : data[Math.floor(i / 4) * channels + (i % 4)]!,
  );
  const lr = { height: height === 1 ? 2 : height, width: width === 1 ? 2 : width };
  expect(plan.lr).toEqual(lr);
  const doubled = new Float32Array(4 * lr.height * lr.width).map((_, i) => {
    const x = Math.min(width - 1, (i >> 2) % lr.width);
    const y = Math.min(height - 1, Math.floor((i >> 2) / lr.width));
    return i % 4 === 3 ? 0 : four[4 * (y * width + x) + (i % 4)]!;
  });
  let padded: Float32Array = doubled;
  let [h, w] = [lr.height, lr.width];
  for (const pass of plan.padding.passes) {
    padded = reflectPadReference({ x: padded }, [1, h, w, 4], pass);
    h += pass.top + pass.bottom;
    w += pass.left + pass.right;
  }
  const rounded = padded.map((v) => f16BitsToF32(f32ToF16Bits(v)));
  const { content: size, grid, tile, padding } = plan;
  const blended = new Float64Array(4 * size.height * size.width);
  for (const { y, x } of grid.tiles) {
    const origin = { y: ((y - padding.top) / 2) >>> 0, x: ((x - padding.left) / 2) >>> 0 };
    for (let i = 0; i < 4 * tile; i++) {
      for (let j = 0; j < 4 * tile; j++) {
        const Y = 4 * (y - padding.top) + i;
        const X = 4 * (x - padding.left) + j;
        if (Y < 0 || Y >= size.height || X < 0 || X >= size.width) continue;
        const weight = grid.rowWeights.get(y)![i]! * grid.columnWeights.get(x)![j]!;
        for (let c = 0; c < 3; c++) {
          const v = rounded[4 * ((y + (i >> 2)) * w + x + (j >> 2)) + c]! + ERROR(origin, i, j);
          blended[4 * (Y * size.width + X) + c]! += weight * Math.min(1, Math.max(0, v));
        }
      }
    }
  }
  const content = Float32Array.from(blended);
  const shape = [1, size.height, size.width, 4] as const;
  const style = bicubicAntialiasReference({ x: doubled }, [1, lr.height, lr.width, 4], size);
  let fixed: Float32Array = content;
  if (plan.colorFix === 'ycbcr') fixed = ycbcrFixReference({ content, style });
  if (plan.colorFix === 'wavelet') {
    let low: Float32Array = style.map((v, i) => v - content[i]!);
    for (const dilation of [1, 2, 4, 8, 16])
      low = waveletLowReference({ x: low }, shape, { dilation });
    fixed = content.map((v, i) => v + low[i]!);
  }
  const cropped = crop(fixed, size.width, 4 * width, 4 * height);
  const result = plan.shrink
    ? bicubicAntialiasReference({ x: cropped }, [1, 4 * height, 4 * width, 4], plan.result)
    : cropped;
  const alpha = bicubicAntialiasReference({ x: four }, [1, height, width, 4], plan.result);
  const levels: number[] = [];
  for (let i = 0; i < result.length; i += 4) {
    levels.push(result[i]!, result[i + 1]!, result[i + 2]!);
    if (channels === 4) levels.push(alpha[i + 3]!);
  }
  return Float64Array.from(levels, (v) => 65535 * Math.min(1, Math.max(0, v)));
}

function crop(x: Float32Array, from: number, width: number, height: number): Float32Array {
  const y = new Float32Array(4 * width * height);
  for (let i = 0; i < height; i++) {
    y.set(x.subarray(4 * i * from, 4 * (i * from + width)), 4 * i * width);
  }
  return y;
}

const differenceOf = (a: Float64Array, b: Float64Array): number => {
  expect(a.length).toBe(b.length);
  return a.reduce((most, v, i) => Math.max(most, Math.abs(v - b[i]!)), 0);
};

/** Sums in f32 of values below one, some ten deep: 1e-6 of 65535, and half a level of rounding. */
const WITHIN = 0.6;

describe('equals the plain blend', () => {
  const CASES: readonly (readonly [
    w: number,
    h: number,
    channels: 3 | 4,
    options: Partial<HostPlanOptions>,
  ])[] = [
    [16, 16, 3, {}],
    [61, 43, 3, {}],
    [61, 43, 4, { tileBatch: 1, overlap: 0.25 }],
    [33, 90, 3, { overlap: 0, tileBatch: 7 }],
    [90, 20, 3, { overlap: 0.5, tile: 24 }],
    [7, 5, 4, { tile: 32 }],
    [1, 9, 3, {}],
    [1, 1, 4, { colorFix: 'ycbcr' }],
    [3, 40, 3, { colorFix: 'wavelet', tileBatch: 2 }],
    [61, 43, 3, { colorFix: 'wavelet' }],
    [40, 70, 4, { colorFix: 'wavelet', overlap: 0.25 }],
    [50, 30, 3, { colorFix: 'ycbcr' }],
    [50, 30, 4, { scale: 1 }],
    [50, 30, 3, { scale: 2.5, colorFix: 'wavelet' }],
    [41, 67, 3, { scale: 3.999 }],
    [1, 30, 3, { scale: 1.7 }],
  ];
  test.each(CASES)('%i x %i, %i channels, %o', async (width, height, channels, options) => {
    const plan = planHost({ width, height }, { ...OPTIONS, ...options });
    const picture = pictureOf(width, height, channels, width);
    const rows = await collect(plan, picture);
    // Images one pixel wide, shrunk: their doubled neighbour gives taps where a border would not.
    const within = width === 1 && plan.shrink ? 0.02 * 65535 : WITHIN;
    expect(differenceOf(rows, expected(plan, picture))).toBeLessThan(within);
  });
});

describe('scale', () => {
  test.each([
    [10, 7, 1, 10, 7],
    [10, 7, 1.5, 15, 11],
    [10, 7, 4, 40, 28],
    [10, 7, 4.1, 41, 29],
    [101, 7, 7.77, 785, 54],
    [1, 1, 8, 8, 8],
  ])('%i x %i times %f is %i x %i', async (width, height, scale, w, h) => {
    const plan = planHost({ width, height }, { ...OPTIONS, scale });
    expect(plan.result).toEqual({ width: w, height: h });
    expect((await collect(plan, pictureOf(width, height, 3, 1))).length).toBe(3 * w * h);
  });

  /** A linear ramp lies exactly where half-pixel centres say, at every scale, away from borders. */
  test.each([1, 1.6, 2, 3.3, 4, 5, 6.4, 8])('x%f moves nothing', async (scale) => {
    const [width, height] = [60, 24];
    const read: RowSource['read'] = async (_, count) =>
      Float32Array.from(
        { length: 3 * count * width },
        (__, i) => 0.1 + 0.01 * (Math.floor(i / 3) % width),
      );
    const plan = planHost({ width, height }, { ...OPTIONS, scale });
    const networks = fakeNetworks({ tile: 16, smooth: true });
    const out = plan.result.width;
    for await (const { data } of upscaleRows(plan, { width, height, channels: 3, read }, networks, {
      depth: 16,
    })) {
      for (let x = Math.ceil(4 * scale); x < out - 4 * scale; x++) {
        const exact = 0.1 + 0.01 * (((x + 0.5) * width) / out - 0.5);
        // f16 rounds the ramp by up to 2^-12; a shift of a twentieth of a pixel would be 5e-4.
        expect(Math.abs(data[3 * x]! / 65535 - exact)).toBeLessThan(2.5e-4);
      }
    }
  });
});

describe('resumed', () => {
  const [width, height] = [50, 70];
  const picture = pictureOf(width, height, 3, 5);

  test.each([
    ['none', 4, 4],
    ['wavelet', 4, 3],
    ['wavelet', 2.3, 5],
  ] as const)(
    'colour fix %s, scale %f, batches of %i: the same rows',
    async (colorFix, scale, tileBatch) => {
      const plan = planHost({ width, height }, { ...OPTIONS, colorFix, scale, tileBatch });
      const saved = new Map<number, Float32Array<ArrayBuffer>>();
      const recorder: PatchStore = {
        rowsDone: 0,
        has: () => false,
        load: () => Promise.reject(new Error('nothing to load')),
        save: async (batch, patches) => void saved.set(batch, Float32Array.from(patches)),
      };
      const whole = await collect(plan, picture, { store: recorder });
      const row = 3 * plan.result.width;
      for (let rowsDone = 0; rowsDone <= plan.result.height; rowsDone += 17) {
        // As if it had stopped there: some later batches are known, one is missing amid them.
        const known = new Set([...saved.keys()].filter((k) => k % 3 !== rowsDone % 3));
        const store: PatchStore = {
          rowsDone,
          has: (k) => known.has(k),
          load: async (k) => saved.get(k)!,
          save: async (k) => expect(known.has(k)).toBe(false),
        };
        const rest = await collect(plan, picture, { store });
        expect(rest).toEqual(whole.slice(rowsDone * row));
      }
    },
  );

  test('networks that pull many batches first give the same rows', async () => {
    const plan = planHost({ width, height }, OPTIONS);
    expect(await collect(plan, picture, { ahead: 64 })).toEqual(await collect(plan, picture));
  });

  test('an abort ends it', async () => {
    const plan = planHost({ width, height }, OPTIONS);
    const controller = new AbortController();
    const networks = fakeNetworks({ tile: 16, onBatch: () => controller.abort() });
    const run = upscaleRows(plan, picture, networks, { depth: 8, signal: controller.signal });
    await expect(run.next()).rejects.toThrow(/abort/i);
  });

  test('a caller that stops does not wait for the batch under way', async () => {
    const plan = planHost({ width, height }, OPTIONS);
    const networks: PatchSource = async function* (batches, options) {
      yield* fakeNetworks({ tile: 16 })(take(batches, 2), options);
      await new Promise((_, reject) =>
        options.signal?.addEventListener('abort', () => reject(new Error('stopped'))),
      );
    };
    for await (const { count } of upscaleRows(plan, picture, networks, { depth: 8 })) {
      expect(count).toBeGreaterThan(0);
      break;
    }
  });
});

async function* take<T>(values: AsyncIterable<T>, count: number): AsyncGenerator<T> {
  let left = count;
  for await (const value of values) {
    yield value;
    if (--left === 0) return;
  }
}

test('8-bit pixels are read as those on the device are', async () => {
  const pixels = Uint8Array.of(0, 1, 2, 9, 128, 254, 255, 9);
  const rows = await pixelRows({ width: 1, height: 2, pixels }).read(1, 1);
  expect([...rows]).toEqual([128, 254, 255].map((v) => Math.fround(v / 255)));
});
