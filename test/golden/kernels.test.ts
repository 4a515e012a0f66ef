/** Single operations against the official code's, computed in f64: every tensor of data/kernels. */
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { activation } from '../../src/kernels/activation.ts';
import { attention } from '../../src/kernels/attention.ts';
import { conv2d, type Conv2dConstants } from '../../src/kernels/conv2d.ts';
import { geglu } from '../../src/kernels/geglu.ts';
import { groupNormFinalize } from '../../src/kernels/group-norm-finalize.ts';
import { groupNormPartial } from '../../src/kernels/group-norm-partial.ts';
import { groupNormApply } from '../../src/kernels/group-norm-apply.ts';
import { layerNorm } from '../../src/kernels/layer-norm.ts';
import { linear } from '../../src/kernels/linear.ts';
import { posterior } from '../../src/kernels/posterior.ts';
import {
  timestepEmbedding,
  timestepEmbeddingReference,
} from '../../src/kernels/timestep-embedding.ts';
import { upsampleConv2d } from '../../src/kernels/upsample-conv2d.ts';
import { upsampleNearest } from '../../src/kernels/upsample-nearest.ts';
import { adapterNames } from '../harness/device.ts';
import {
  casesOf,
  expectClose,
  F16_NMSE,
  type Floats,
  KERNEL_RUNS,
  largestError,
  openKernelRun,
  padLast,
  type Run,
  type Value,
  valueOf,
  watched,
  weightOf,
} from '../harness/golden-kernels.ts';
import { type Golden, goldenPath, openGolden, toNhwc } from '../harness/goldens.ts';
import { fromF16Bits } from '../harness/half.ts';
import { syntheticWeight } from '../../src/weights/synthetic.ts';
import { type TinyPart, tinyShapes } from '../harness/synthetic.ts';
import { sumNmse } from '../kernels/cases.ts';

/** Files of data/kernels about formats: test/unit/safetensors.test.ts, half.test.ts, test/library/image-pass.test.ts. */
const ELSEWHERE = ['edge', 'f16_rounding', 'to_u8'];

const open = async (name: string) => watched(await openGolden(`kernels/${name}`));
const goldens = {
  activations: await open('activations'),
  attention: await open('attention'),
  conv: await open('conv'),
  groupnorm: await open('groupnorm'),
  layernorm: await open('layernorm'),
  linear: await open('linear'),
  posterior: await open('posterior'),
  timestep_embedding: await open('timestep_embedding'),
  upsample: await open('upsample'),
};

/** f32 results that are no long sums: a dozen roundings of up to 2^-24 each have 4e-14 of the power. */
const F32_NMSE = 1e-13;
/**
 * As cases.ts has it for f32: scores are sums of their own and, as exponents, lose their last bits. Of
 * wide heads they are long sums, and an exponent's absolute error is its exponential's relative one.
 */
const attentionNmse = (headDim: number): number => Math.max(1e-12, sumNmse(headDim));
/** What WGSL grants exp(x) for |x| ≤ 15, the half of either clamp: 3 + 2·|x| ulp. */
const EXP_ERROR = 33 * 2 ** -23;

const CONVOLUTIONS: Readonly<Record<string, Conv2dConstants>> = {
  c1: {},
  c3s1: { padding: { top: 1, left: 1, bottom: 1, right: 1 } },
  c3s2sym: { stride: 2, padding: { top: 1, left: 1, bottom: 1, right: 1 } }, // UNet
  c3s2asym: { stride: 2, padding: { top: 0, left: 0, bottom: 1, right: 1 } }, // VAE encoder
};

describe.each(KERNEL_RUNS)('$adapter $precision', ({ adapter, precision }) => {
  let run: Run;
  let close: () => void;
  beforeAll(async () => {
    ({ run, close } = await openKernelRun(adapter));
  });
  afterAll(() => close());

  const stored = (tensor: Floats): Value => valueOf(precision, tensor);
  const vector = (tensor: Floats): Value => weightOf('vector', 'f16', tensor);
  /** Limit on the NMSE at this precision, from that in f32. */
  const limit = (f32 = F32_NMSE) => ({ nmse: precision === 'f16' ? F16_NMSE : f32 });

  test.each(casesOf(goldens.conv, 'x'))('conv2d %s', async (name) => {
    const { x, w, b, y } = layerOf(goldens.conv, name);
    const inputs = {
      x: stored(toNhwc(x)),
      weight: weightOf('conv', 'f16', w),
      bias: vector(b),
    };
    const constants = CONVOLUTIONS[name.split('_')[0]!]!;
    const actual = await run(inputs, (types, target) => conv2d(types, constants, target));
    expectClose(actual, toNhwc(y), limit(sumNmse(w.data.length / w.shape[0]!)));
  });

  test.each(casesOf(goldens.conv, 'x').filter((name) => name.startsWith('c1_')))(
    'conv2d %s as linear',
    async (name) => {
      const { x, w, b, y } = layerOf(goldens.conv, name);
      const inputs = {
        x: stored(toNhwc(x)),
        weight: weightOf('linear', 'f16', w),
        bias: vector(b),
      };
      const actual = await run(inputs, (types, target) => linear(types, {}, target));
      expectClose(actual, toNhwc(y), limit(sumNmse(w.shape[1]!)));
    },
  );

  test.each(casesOf(goldens.linear, 'x'))('linear %s', async (name) => {
    const { x, w, b, y } = layerOf(goldens.linear, name);
    const inputs = { x: stored(x), weight: weightOf('linear', 'f16', w), bias: vector(b) };
    const actual = await run(inputs, (types, target) => linear(types, {}, target));
    expectClose(actual, padLast(y), limit(sumNmse(w.shape[1]!)));
  });

  test.each(casesOf(goldens.groupnorm, 'x'))('groupNorm %s', async (name) => {
    const { x: image, w, b, y } = layerOf(goldens.groupnorm, name);
    const x = stored(toNhwc(image));
    const [, height = 0, width = 0] = x.type.shape;
    const groups = Number(/g(\d+)_/.exec(name)![1]);
    const eps = 10 ** -Number(/eps(\d)/.exec(name)![1]);
    const finalize = { groups, eps, pixels: height * width };
    const gamma = vector(w);
    const beta = vector(b);

    const partial = await run({ x }, (types, target) => groupNormPartial(types, {}, target));
    const stats = await run({ partial, gamma }, (types, target) =>
      groupNormFinalize(types, finalize, target),
    );
    const normed = await run({ x, stats, beta }, (types, target) =>
      groupNormApply(types, {}, target),
    );
    expectClose(normed, toNhwc(y), limit());
    const activated = await run({ x, stats, beta }, (types, target) =>
      groupNormApply(types, { activation: 'silu' }, target),
    );
    expectClose(activated, toNhwc(goldens.groupnorm.f32(`${name}.y_silu`)), limit());
  });

  test.each(casesOf(goldens.layernorm, 'x'))('layerNorm %s', async (name) => {
    const { x, w, b, y } = layerOf(goldens.layernorm, name);
    const inputs = { x: stored(x), gamma: vector(w), beta: vector(b) };
    const actual = await run(inputs, (types, target) => layerNorm(types, { eps: 1e-5 }, target));
    expectClose(actual, y, limit());
  });

  test.each([
    ['gelu', 'gelu_erf'],
    ['silu', 'silu'],
    ['quickGelu', 'quick_gelu'],
  ] as const)('activation %s', async (kind, name) => {
    const x = stored(goldens.activations.f32('x'));
    const actual = await run({ x }, (types, target) => activation(types, { kind }, target));
    expectClose(actual, goldens.activations.f32(name), limit());
  });

  test('geglu', async () => {
    const x = stored(goldens.activations.f32('geglu.x'));
    const actual = await run({ x }, (types, target) => geglu(types, {}, target));
    expectClose(actual, goldens.activations.f32('geglu.y'), limit());
  });

  test.each(casesOf(goldens.attention, 'q'))('attention %s', async (name) => {
    const golden = goldens.attention;
    const [q, k, v] = ['q', 'k', 'v'].map((t) => stored(golden.f32(`${name}.${t}`)));
    const constants = {
      heads: Number(golden.at(`${name}.heads`).data[0]),
      causal: name.startsWith('causal_'),
    };
    const actual = await run({ q: q!, k: k!, v: v! }, (types, target) =>
      attention(types, constants, target),
    );
    expectClose(
      actual,
      golden.f32(`${name}.out`),
      limit(attentionNmse(q!.type.shape.at(-1)! / constants.heads)),
    );
  });

  test.each([
    ['x', 'x2'],
    ['odd.x', 'odd.to_6x10'],
    ['odd.x', 'odd.to_5x10'],
    ['odd.x', 'odd.to_5x9'],
  ])('upsampleNearest %s → %s', async (from, to) => {
    const y = toNhwc(goldens.upsample.f32(to));
    const [, height = 0, width = 0] = y.shape;
    const x = stored(toNhwc(goldens.upsample.f32(from)));
    const actual = await run({ x }, (types, target) =>
      upsampleNearest(types, { height, width }, target),
    );
    expectClose(actual, y, { abs: 0 });
  });

  // No kernel golden has this pair fused; blocks of the networks do, with known weights.
  test.each([
    ['vae', 'networks/vae_decode', 'decoder.up_blocks.0'],
    ['unet', 'networks/unet', 'up_blocks.0'],
  ] as const)('upsampleConv2d %s', async (part, file, block) => {
    const golden = await openGolden(file);
    const y = toNhwc(golden.f32(`act.${block}.upsamplers.0`));
    const inputs = {
      x: stored(toNhwc(golden.f32(`act.${block}.resnets.2`))),
      weight: weightOf('phase', precision, tiny(part, `${block}.upsamplers.0.conv.weight`)),
      bias: vector(tiny(part, `${block}.upsamplers.0.conv.bias`)),
    };
    const actual = await run(inputs, (types, target) => upsampleConv2d(types, {}, target));
    const inner = inputs.x.type.shape[3]!;
    expectClose(actual, y, {
      nmse:
        precision === 'f16'
          ? 3 * F16_NMSE // x, the sums of taps and y
          : sumNmse(4 * inner) + sumNmse(9 * inner), // ours and the official code's, in f32 too
    });
  });

  test('posterior: mean, deviation and sample, on both sides of the clamp', async () => {
    const [moments, eps, mean, logvar, std, sample] = [
      'moments',
      'eps',
      'mean',
      'logvar',
      'std',
      'sample',
    ].map((name) => toNhwc(goldens.posterior.f32(name)));
    const draw = (of: Floats, noise: Floats) =>
      run({ gaussian: stored(of), noise: valueOf('f32', noise) }, (types, target) =>
        posterior(types, { channels: 4, scale: 1 }, target),
      );
    const all = (v: number): Floats => ({ shape: eps!.shape, data: eps!.data.map(() => v) });

    expectClose(await draw(moments!, all(0)), mean!, { abs: 0 });

    // without mean, noise of 1 leaves the deviation
    const centred = moments!.data.map((_, i) =>
      i % 8 < 4 ? 0 : logvar!.data[(i >> 3) * 4 + (i % 4)]!,
    );
    const deviation = await draw({ ...moments!, data: centred }, all(1));
    const relative = largestError(deviation.data, std!.data, (i) => std!.data[i]!);
    expect(relative).toBeLessThan(EXP_ERROR);

    const drawn = await draw(moments!, eps!);
    const terms = (i: number) => Math.abs(mean!.data[i]!) + std!.data[i]! * Math.abs(eps!.data[i]!);
    expect(largestError(drawn.data, sample!.data, terms)).toBeLessThan(EXP_ERROR);
  });
});

/** A weight of the goldens' tiny networks. */
function tiny(part: TinyPart, name: string): Floats {
  const shape = tinyShapes(part)[name]!;
  return { shape, data: fromF16Bits(syntheticWeight(part, name, shape)) };
}

/** A layer's case: input, weight, bias and output. */
function layerOf(golden: Golden, name: string): Record<'x' | 'w' | 'b' | 'y', Floats> {
  const of = (member: string) => golden.f32(`${name}.${member}`);
  return { x: of('x'), w: of('w'), b: of('b'), y: of('y') };
}

// What has one precision only.
describe.each(adapterNames)('%s', (adapter) => {
  let run: Run;
  let close: () => void;
  beforeAll(async () => {
    ({ run, close } = await openKernelRun(adapter));
  });
  afterAll(() => close());

  test.each([32, 128, 256, 320])('timestepEmbedding of %i', async (dim) => {
    const golden = goldens.timestep_embedding;
    const official = golden.f32(`dim${dim}_official_f32`).data;
    for (const [i, timestep] of golden.f32('timesteps').data.entries()) {
      const constants = { timestep, dim, flipSinToCos: true, freqShift: 0 };
      const actual = await run({}, (_, target) => timestepEmbedding({}, constants, target));
      const expected = { shape: [1, dim], data: official.slice(i * dim, (i + 1) * dim) };
      // an f32 ulp of values up to 1
      expectClose(actual, expected, { abs: 2 ** -23 });
    }
  });
});

test.each([32, 128, 256, 320])('timestepEmbeddingReference of %i is the exact one', (dim) => {
  const golden = goldens.timestep_embedding;
  const exact = golden.f32(`dim${dim}`).data;
  for (const [i, timestep] of golden.f32('timesteps').data.entries()) {
    const constants = { timestep, dim, flipSinToCos: true, freqShift: 0 };
    const expected = { shape: [dim], data: exact.slice(i * dim, (i + 1) * dim) };
    const data = timestepEmbeddingReference(constants);
    expectClose(valueOf('f32', { shape: [dim], data }), expected, { abs: 2 ** -24 });
  }
});

// Last: vitest runs the tests of a file in order.
test('no golden was forgotten', () => {
  const files = readdirSync(goldenPath('kernels')).map((file) => file.replace('.safetensors', ''));
  expect(files.toSorted()).toEqual([...Object.keys(goldens), ...ELSEWHERE].toSorted());
  const unread = Object.entries(goldens).flatMap(([file, golden]) =>
    golden.unread().map((name) => `${file}/${name}`),
  );
  expect(unread).toEqual([]);
});
