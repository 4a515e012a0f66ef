/** The synthetic weights against known answers, and the stored goldens against the rule. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/weights/checkpoint.ts';
import { readAll } from '../harness/read-all.ts';
import { f32ToF16Bits } from '../../src/weights/half.ts';
import { goldenPath, openGolden, samplesOf, toNchw, toNhwc } from '../harness/goldens.ts';
import { SIZES } from '../../src/invsr/synthetic-configs.ts';
import { weightFile, weightKeys, type WeightPart } from '../../src/invsr/synthetic-model.ts';
import { concatBytes } from '../../src/weights/safetensors-write.ts';
import { memoryFolder } from '../../src/weights/folder.ts';
import {
  amplitude,
  fillWeight,
  fnv1a32,
  lowbias32,
  pseudoNormal,
  SEEDS,
  streamHash,
  streamKey,
  weightAt,
} from '../../src/weights/synthetic.ts';
import { TINY_PARTS, tinyShapes } from '../harness/synthetic.ts';

interface Answers {
  readonly lowbias32: readonly { x: string; lowbias32: string }[];
  readonly fnv1a32: readonly { s: string; fnv1a32: string }[];
  readonly pseudo_normal: readonly { name: string; value: number[] }[];
  readonly tensors: readonly {
    component: WeightPart;
    name: string;
    shape: number[];
    key: string;
    offset: number;
    a: number;
    elements: { index: number; h: string; f32: string; f16: string }[];
  }[];
  readonly tiny_model_checksums: Readonly<
    Record<string, { tensors: number; elements: number; checksum: string }>
  >;
}
const answers = JSON.parse(readFileSync(goldenPath('kat_synth.json'), 'utf8')) as Answers;
const hex = (value: number, digits = 8) => `0x${value.toString(16).padStart(digits, '0')}`;
const f32Bits = (value: number) => new Uint32Array(new Float32Array([value]).buffer)[0]!;

describe('known answers', () => {
  test('hashes', () => {
    for (const { x, lowbias32: h } of answers.lowbias32) expect(hex(lowbias32(Number(x)))).toBe(h);
    for (const { s, fnv1a32: h } of answers.fnv1a32) expect(hex(fnv1a32(s))).toBe(h);
  });

  test.each(answers.tensors.map((t) => [t.component, t.name, t] as const))('%s %s', (_, __, t) => {
    const key = streamKey(SEEDS[t.component], t.name);
    const rule = amplitude(t.name, t.shape);
    expect(hex(key)).toBe(t.key);
    expect(rule).toEqual({ a: t.a, offset: t.offset });
    for (const { index, h, f32, f16 } of t.elements) {
      const value = weightAt(key, index, rule);
      expect([
        hex(streamHash(key, index)),
        hex(f32Bits(value)),
        hex(f32ToF16Bits(value), 4),
      ]).toEqual([h, f32, f16]);
      // As whole tensors are made, from an element in the middle.
      const bits = new Uint16Array(1);
      fillWeight(bits, { key, rule, from: index });
      expect(hex(bits[0]!, 4)).toBe(f16);
    }
  });

  test('all of them', () => {
    expect(answers.tensors.length).toBe(26);
    expect(answers.tensors.flatMap((t) => t.elements).length).toBe(95);
  });

  test('a tensor made in pieces is the tensor made at once', () => {
    const stream = { key: streamKey(SEEDS.unet, 'x.weight'), rule: amplitude('x.weight', [3, 5]) };
    const whole = new Uint16Array(70_001); // four blocks and a rest
    fillWeight(whole, stream);
    const pieces = new Uint16Array(whole.length);
    for (let from = 0; from < whole.length; from += 30_011) {
      fillWeight(pieces.subarray(from, from + 30_011), { ...stream, from });
    }
    expect(pieces).toEqual(whole);
  });

  test('noise', () => {
    for (const { name, value } of answers.pseudo_normal) {
      expect([...pseudoNormal(name, value.length)]).toEqual(value);
    }
  });

  test.each(Object.keys(answers.tiny_model_checksums) as WeightPart[])(
    'all weights of the tiny %s, as a file',
    async (part) => {
      const file = weightFile('w.safetensors', part, weightKeys(part, SIZES.tiny));
      const pieces = Array.from(file.content(), (piece) => piece.slice()); // each is reused
      const bytes = concatBytes(pieces);
      expect(bytes.length).toBe(file.bytes);
      const checkpoint = await openCheckpoint(
        memoryFolder('m', new Map([['w.safetensors', bytes]])),
      );
      let checksum = 0;
      let elements = 0;
      for (const name of [...checkpoint.tensors.keys()].toSorted()) {
        const bits = new Uint16Array((await readAll(checkpoint.tensors.get(name)!)).buffer);
        let sum = 0; // below 2^53: under 2^22 elements of at most 2^16 times 2^15 on average
        for (const [i, b] of bits.entries()) sum += b * ((i % 65521) + 1);
        checksum = (Math.imul(checksum, 31) + (sum % 2 ** 32)) >>> 0;
        elements += bits.length;
      }
      expect({ tensors: checkpoint.tensors.size, elements, checksum: hex(checksum) }).toEqual(
        answers.tiny_model_checksums[part],
      );
    },
  );
});

describe('configs', () => {
  test.each(TINY_PARTS)('tiny %s: as the goldens were made with', (part) => {
    const stored = JSON.parse(
      readFileSync(goldenPath(`tiny/${part}/config.json`), 'utf8'),
    ) as object;
    expect(SIZES.tiny[part]).toEqual(stored);
    expect(weightKeys(part, SIZES.tiny)).toEqual(tinyShapes(part));
  });

  // Published numbers of the models: parameters and tensors.
  test.each([
    ['unet', 865_910_724, 686],
    ['vae', 83_653_863, 248],
    ['noise_predictor', 33_837_576, 164],
    ['text_encoder', 340_387_840, 372],
  ] as const)('full %s: %i parameters in %i tensors', (part, parameters, tensors) => {
    const shapes = Object.values(weightKeys(part, SIZES.full));
    const count = shapes.reduce((sum, shape) => sum + shape.reduce((n, d) => n * d, 1), 0);
    expect([count, shapes.length]).toEqual([parameters, tensors]);
  });
});

describe('goldens', () => {
  test.each(['s1', 's5', 'cfg2_s2', 'chop41x53', 'chop41x53_wavelet', 'pad9x11'])(
    'the noise of e2e_%s follows from its name, through lossless f16 and inheritance',
    async (name) => {
      const golden = await openGolden(`networks/e2e_${name}`);
      const stream = golden.metadata['draws_case'] ?? name;
      for (const draw of ['call0.draw0', 'call0.draw1']) {
        const { shape, data } = golden.f32(`draws.${draw}`);
        expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
        expect(data).toEqual(pseudoNormal(`${stream}.${draw}`, data.length));
      }
    },
  );

  test('a sampled tensor has its whole shape and the elements the rule says', async () => {
    const golden = await openGolden('networks/vae_decode');
    const { shape, data } = golden.f32('samples.act.decoder.conv_norm_out');
    expect(shape).toEqual([1, 16, 48, 48]);
    expect(data.length).toBe(4096);
    // final_u8 is whole: 8-bit rounding of the sampled f32 image must agree with it.
    const e2e = await openGolden('networks/e2e_s2');
    const whole = e2e.at('final_u8_hwc').data as Uint8Array;
    const chw = toNchw({ shape: [1, 128, 128, 3], data: Float32Array.from(whole) }, 3);
    const samples = e2e.f32('samples.final').data;
    expect(samplesOf(chw.data, samples.length)).toEqual(
      samples.map((v) => Math.round(Math.fround(v * 255))),
    );
  });

  test('NCHW → NHWC → NCHW is the identity, padding is zero', async () => {
    const lr = (await openGolden('networks/noise_predictor_shapes')).f32('b2_24x40.lr');
    const nhwc = toNhwc(lr);
    expect(nhwc.shape).toEqual([2, 24, 40, 4]);
    expect(nhwc.data.filter((_, i) => i % 4 === 3).every((v) => v === 0)).toBe(true);
    expect(nhwc.data[4 * (40 * 24 + 41) + 2]).toBe(lr.data[((3 + 2) * 24 + 1) * 40 + 1]);
    expect(toNchw(nhwc, 3)).toEqual(lr);
  });

  test('an unknown name is answered with the known ones', async () => {
    const golden = await openGolden('networks/eps_probe');
    expect(() => golden.at('nope')).toThrow(/eps_probe has no nope; it has .*temb_unet/);
  });
});
