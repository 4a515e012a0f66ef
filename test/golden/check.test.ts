/**
 * `check`: a layer that overflows f16 is named and its network computed in f32; one that is wrong in
 * f32 ends the work by its name; a model without either is left alone.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createContext } from '../../src/engine/context.ts';
import type { Pixels } from '../../src/invsr/pixels.ts';
import { type Model, openModel, type Tensors } from '../../src/invsr/model.ts';
import { NonFiniteError } from '../../src/invsr/errors.ts';
import type { PrecisionWarning } from '../../src/invsr/stage-precision.ts';
import { TileNetworks } from '../../src/invsr/tile-networks.ts';
import { upscalePixels } from '../../src/invsr/upscale-pixels.ts';
import { type UpscaleSettings, withDefaults } from '../../src/invsr/upscale-settings.ts';
import { pseudoNormal } from '../../src/weights/synthetic.ts';
import { adapterNames, openTestDevice } from '../harness/device.ts';
import { psnr } from '../harness/networks.ts';
import { damaged, type EditWeight, scaled, tinyModelWith } from '../harness/synthetic.ts';

// What is compiled for a device serves all contexts on it.
let device: GPUDevice;
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

const TILE = 16;
const OPTIONS: UpscaleSettings = { tile: TILE, overlap: 0 };

/** Of two tiles. */
const picture: Pixels = {
  width: 2 * TILE,
  height: TILE,
  pixels: Uint8Array.from({ length: 2 * TILE * TILE * 4 }, (_, i) => (37 * i) % 251),
};

const prompt: Tensors = new Map([
  [
    'prompt_embeds',
    {
      name: 'prompt_embeds',
      dtype: 'F32',
      shape: [1, 77, 64],
      bytes: new Uint8Array(pseudoNormal('prompt', 77 * 64).buffer),
    },
  ],
]);

async function openNetworks(edit: EditWeight | undefined, options: UpscaleSettings) {
  const context = createContext(device);
  closers.push(() => context.dispose());
  const model: Model = await openModel(tinyModelWith(edit), prompt);
  const warnings: PrecisionWarning[] = [];
  const onWarning = (warning: PrecisionWarning) => warnings.push(warning);
  const all = withDefaults({ ...OPTIONS, onWarning, ...options }, context);
  const networks = new TileNetworks(context, model, all);
  return { upscale: async () => upscalePixels(networks, picture, all), warnings };
}

describe.each(adapterNames)('%s', (adapter) => {
  beforeAll(async () => {
    ({ device } = await openTestDevice(adapter));
  });
  afterAll(() => device.destroy());

  // A group norm follows: in f32 nobody would notice. 2^15 times outputs of some units overflow.
  test.each([
    ['decode', 'vae.decoder.up_blocks.1.resnets.0.conv1'],
    ['noise_predictor', 'noise_predictor.encoder.down_blocks.1.resnets.2.conv1'],
  ] as const)('%s leaves the range of f16: named once, then in f32', async (stage, layer) => {
    const edit = scaled(`${layer}.weight`, 2 ** 15);
    const exact = await openNetworks(edit, { precision: 'f32' });
    const expected = (await exact.upscale()).pixels;

    const { upscale, warnings } = await openNetworks(edit, {
      precision: 'f16',
      check: true,
    });
    const { pixels } = await upscale();
    expect(warnings).toEqual([
      {
        stage,
        layer,
        message: `${layer} leaves the range of f16; the ${stage} stage goes on in f32`,
      },
    ]);
    // 50 dB as for any f16 path: the other networks are still in f16.
    expect(psnr(pixels, expected, 255)).toBeGreaterThan(50);

    // Without the check nothing is said, and the picture is not this one.
    const blind = await openNetworks(edit, { precision: 'f16' });
    const wrong = (await blind.upscale()).pixels;
    expect(blind.warnings).toEqual([]);
    expect(psnr(wrong, expected, 255)).toBeLessThan(30);
  });

  test.each([
    'unet.down_blocks.0.attentions.1.proj_in.weight',
    'unet.time_embedding.linear_1.weight',
  ])('a NaN in %s: the layer is named, in f16 and in f32', async (weight) => {
    const layer = weight.replace(/\.weight$/, '');
    for (const precision of ['f16', 'f32'] as const) {
      const options = { precision, check: true };
      const { upscale, warnings } = await openNetworks(damaged(weight), options);
      const failure = await upscale().catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(NonFiniteError);
      expect(String(failure)).toContain(`${layer} gives NaN or Infinity in f32`);
      expect(warnings.map((w) => w.layer)).toEqual(precision === 'f16' ? [layer] : []);
    }
  });

  test('nothing to find: the same picture with and without, also in low memory', async () => {
    const plain = await openNetworks(undefined, { precision: 'f16' });
    const { pixels } = await plain.upscale();
    for (const lowMemory of [false, true]) {
      const options = { precision: 'f16', check: true, lowMemory } as const;
      const { upscale, warnings } = await openNetworks(undefined, options);
      expect((await upscale()).pixels).toEqual(pixels);
      expect(warnings).toEqual([]);
    }
  });
});
