/**
 * The whole path against the official sampler: the settings of each golden, what a run is given, and
 * how far its stages and its picture may be off, wherever it ran.
 */
import { expect } from 'vitest';
import type { Pixels } from '../../src/invsr/pixels.ts';
import type { UpscaleSettings } from '../../src/invsr/upscale-settings.ts';
import {
  concatBytes,
  safetensorsParts,
  type TensorData,
} from '../../src/weights/safetensors-write.ts';
import type { Golden } from './goldens.ts';
import { errorAgainst, GATE, type Precision, psnr } from './networks.ts';
import { type NumericsRow, record } from './numerics.ts';
import type { DumpedResult } from './upscale-once.ts';

/** Official settings of each case; steps and colours are in the golden's metadata. */
export const TINY: Readonly<Record<string, UpscaleSettings>> = {
  e2e_s1: { timesteps: [200] },
  e2e_s2: { timesteps: [200, 100] },
  e2e_s3: { timesteps: [200, 100, 50] },
  e2e_s4: { timesteps: [200, 150, 100, 50] },
  e2e_s5: { timesteps: [250, 200, 150, 100, 50] },
  e2e_cfg2_s1: { cfg: 2 },
  e2e_cfg2_s2: { cfg: 2, timesteps: [200, 100] },
  e2e_pad20x27: {},
  e2e_pad20x27_wavelet: { colorFix: 'wavelet' },
  e2e_pad20x27_ycbcr: { colorFix: 'ycbcr' },
  e2e_pad9x11: {},
  e2e_chop41x53: {},
  e2e_chop41x53_bs4: { tileBatch: 4 },
  e2e_chop41x53_wavelet: { colorFix: 'wavelet' },
  e2e_chop41x53_ycbcr: { colorFix: 'ycbcr' },
  e2e_chop41x53_cfg2_s2: { cfg: 2, timesteps: [200, 100], tileBatch: 1 },
  e2e_padchop20x70: { timesteps: [200, 100, 50] },
  e2e_chop48_64x72: { tile: 48, tileBatch: 3 },
  e2e_odd40: { tile: 40 },
  e2e_tiled_s1: { vaeTiling: { image: 64, latent: 8, overlap: 0.25 } },
};

/**
 * What SwiftShader runs of them: one of each kind. It computes in f32 what lavapipe does, in eight times
 * the time; the rest is the sampler's logic, which no adapter changes.
 */
export const ON_SWIFTSHADER = [
  'e2e_s1',
  'e2e_cfg2_s2',
  'e2e_pad20x27_wavelet',
  'e2e_chop41x53_ycbcr',
  'e2e_tiled_s1',
];

/** Stages compared wherever the golden has them. */
const STAGES = /^call\d+\.(noise|init_latents|latents_T|np_mean|vae_mean|step\d+\.eps|decoded)$/;

/**
 * Final image. f32: the independent re-implementation is off by 4e-6, cfg 5e-6; 8-bit values may
 * then differ by one where they lie on a rounding edge. f16: f16sim gives 59 to 62 dB and 55 dB
 * with cfg 2; the gate is 50 dB.
 */
const FINAL_MAX_ABS_F32 = 5e-5;
const MIN_PSNR_F16 = 50;

/** Throws where a stage or the picture is further off than it may be. */
export function comparePath(
  golden: Golden,
  { dump, result }: DumpedResult,
  row: NumericsRow & { readonly precision: Precision },
  { cfg = 1 }: UpscaleSettings = {},
): void {
  const { precision } = row;
  // Guidance adds cfg and cfg − 1 times an error each; a second step starts from the first's.
  const amplification = 2 * cfg - 1;
  const stages = [...golden.tensors.keys()]
    .map((key) => key.replace(/^samples\./, ''))
    .filter((key) => STAGES.test(key));
  const errors = stages.map((stage) => [stage, errorAgainst(dump, stage, golden)] as const);
  // Colour-fix cases share the stages of the plain ones, and their goldens hold the image alone.
  if (!/wavelet|ycbcr/.test(row.what)) expect(stages.length).toBeGreaterThan(0);
  const wrong = errors.filter(([, error]) => !(error <= GATE[precision] * amplification));
  expect(wrong.map(([stage, error]) => `${stage}: ${error.toExponential(2)}`)).toEqual([]);
  const { shape, data } = golden.at('final_u8_hwc');
  expect([1, result.height, result.width, 3]).toEqual(shape);
  const expected = Float32Array.from(data as Uint8Array);
  const actual = rgbOf(result);
  record({
    ...row,
    ...(errors.length > 0 && { error: Math.max(...errors.map(([, error]) => error)) }),
    psnr: psnr(actual, expected, 255),
  });
  if (precision === 'f32') {
    let worst = 0;
    for (let i = 0; i < expected.length; i++) {
      worst = Math.max(worst, Math.abs(actual[i]! - expected[i]!));
    }
    expect(worst).toBeLessThanOrEqual(1);
    // The image in floats, where the golden kept it.
    if (golden.has('final')) {
      const final = golden.f32('final').data;
      const ours = dump.get('final')!.data;
      const maxAbs = final.reduce((max, v, i) => Math.max(max, Math.abs(v - ours[i]!)), 0);
      expect(maxAbs).toBeLessThan(FINAL_MAX_ABS_F32);
    }
  } else {
    expect(psnr(actual, expected, 255)).toBeGreaterThan(MIN_PSNR_F16);
  }
}

/** The golden as a parity file: what `--noise` would read. */
export function parityFile(golden: Golden): Uint8Array<ArrayBuffer> {
  const floats = [...golden.tensors].filter(([, { data }]) => data instanceof Float32Array);
  const parts = safetensorsParts(
    new Map(
      floats.map(([name, { data }]): [string, TensorData] => {
        const values = Float32Array.from(data as Float32Array);
        const shape = name.startsWith('samples.') ? [values.length] : golden.at(name).shape;
        return [name, { dtype: 'F32', shape, bytes: new Uint8Array(values.buffer) }];
      }),
    ),
  );
  return concatBytes(parts);
}

/** `lr` [1, 3, H, W] in steps of 1/255 → rgba8. */
export function pixelsOf(golden: Golden): Pixels {
  const { shape, data } = golden.f32('lr');
  const [, , height = 0, width = 0] = shape;
  const count = height * width;
  const pixels = new Uint8Array(4 * count).fill(255);
  for (let i = 0; i < 3 * count; i++) {
    pixels[4 * (i % count) + Math.floor(i / count)] = Math.round(255 * data[i]!);
  }
  return { width, height, pixels };
}

const rgbOf = ({ pixels }: Pixels): Float32Array =>
  Float32Array.from(
    { length: (pixels.length / 4) * 3 },
    (_, i) => pixels[4 * Math.floor(i / 3) + (i % 3)]!,
  );
