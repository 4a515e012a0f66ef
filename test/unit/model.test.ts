/** Model folders whose parts do not fit each other, or the x4 image. */
import { expect, test } from 'vitest';
import { openModel } from '../../src/invsr/model.ts';
import { CASES } from '../golden/generalise.models.ts';
import { type ModelDescription, modelFolder } from '../harness/synthetic-models.ts';

const { twoLevels: model } = CASES;

test('opens', async () => {
  const { configs } = await openModel(modelFolder('model', model));
  expect(configs.unet.channels).toEqual([24, 40]);
});

test.each<[string, ModelDescription, RegExp]>([
  [
    'latent channels',
    { ...model, unet: { ...model.unet, out_channels: 4 } },
    /^model: unet out_channels is 4, but the vae has 3 latent channels/,
  ],
  [
    'levels of the VAE',
    { ...model, vae: { ...model.vae, block_out_channels: [8, 12, 16] } },
    /^model: the vae has 3 levels \("block_out_channels"\), expected 4/,
  ],
  [
    'levels of the noise predictor',
    {
      ...model,
      noise_predictor: {
        ...model.noise_predictor,
        block_out_channels: [16],
        down_block_types: ['AttnDownBlock2D'],
        layers_per_block: 1,
      },
    },
    /^model: the noise_predictor has 1 levels/,
  ],
])('refused: %s', async (_, description, message) => {
  await expect(openModel(modelFolder('model', description))).rejects.toThrow(message);
});
