/** Model folders whose parts do not fit each other, or the x4 image. */
import { expect, test } from 'vitest';
import { checkModel } from '../../src/invsr/check-model.ts';
import { openModel } from '../../src/invsr/model.ts';
import type { Folder } from '../../src/weights/folder.ts';
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

const prompt = (name: string, shape: readonly number[]) =>
  new Map([[name, { name, dtype: 'F32', shape, bytes: new Uint8Array() } as const]]);

const CONTEXT = model.unet.cross_attention_dim;
test.each([
  ['prompt_embeds', [77, CONTEXT]],
  ['prompt_embeds', [2, 77, CONTEXT]],
  ['prompt_embeds', [1, 77, CONTEXT, 1]],
  ['prompt_embeds', [1, 0, CONTEXT]],
  ['negative_prompt_embeds', [1, 77, CONTEXT + 4]],
])('refused: %s as [%s]', async (name, shape) => {
  const opened = openModel(modelFolder('model', model), prompt(name, shape));
  await expect(opened).rejects.toThrow(`model: ${name} is [${shape.join()}], expected [1,L,`);
});

/** `folder`, counting the files that are open; the one named `broken` cannot be opened. */
function counted(folder: Folder, count: { open: number }, broken?: string): Folder {
  return {
    ...folder,
    folder: (name) => counted(folder.folder(name), count, broken),
    open: async (file) => {
      if (`${folder.name}/${file}` === broken) throw new Error('broken');
      const source = await folder.open(file);
      count.open++;
      return { ...source, close: async () => void count.open-- };
    },
  };
}

test.each([
  'model/noise_predictor/diffusion_pytorch_model.safetensors',
  'model/prompt_embeds.safetensors',
])('no file stays open when %s cannot be opened', async (broken) => {
  const count = { open: 0 };
  const folder = counted(modelFolder('model', model), count, broken);
  await expect(openModel(folder)).rejects.toThrow('broken');
  expect(count.open).toBe(0);
});

test('close closes every file', async () => {
  const count = { open: 0 };
  const opened = await openModel(counted(modelFolder('model', model), count));
  expect(count.open).toBe(4);
  await opened.close();
  expect(count.open).toBe(0);
});

/** The weights of `model` under a config.json of another model. */
async function withConfig(part: 'unet' | 'vae' | 'noise_predictor', changes: object) {
  const folder = modelFolder('model', model);
  const inner = folder.folder(part);
  const own = JSON.parse(await inner.readText('config.json')) as object;
  const text = JSON.stringify({ ...own, ...changes });
  const replaced: Folder = {
    ...inner,
    readText: async (file) => (file === 'config.json' ? text : inner.readText(file)),
  };
  return openModel({
    ...folder,
    folder: (name) => (name === part ? replaced : folder.folder(name)),
  });
}

test.each([
  [
    'unet',
    { block_out_channels: [24, 80] },
    /^unet\.down_blocks\.1 gives 40 channels, config\.json says 80/,
  ],
  [
    'vae',
    { block_out_channels: [8, 8, 12, 24] },
    /^vae\.\S+ gives \d+ channels, config\.json says \d+/,
  ],
  [
    'noise_predictor',
    { block_out_channels: [16, 32] },
    /^noise_predictor\.\S+ gives 24 channels, config\.json says 32/,
  ],
  [
    'noise_predictor',
    { layers_per_block: [1, 1] },
    /^model: noise_predictor has encoder\.down_blocks\.1\.\S+, but its config\.json describes no such layer/,
  ],
] as const)('weights of another %s than the config: %j', async (part, changes, message) => {
  const opened = await withConfig(part, changes);
  expect(() => checkModel(opened, { tile: 32, timesteps: [200], cfg: 1 })).toThrow(message);
});

test('weights that fit their config', async () => {
  const opened = await openModel(modelFolder('model', model));
  checkModel(opened, { tile: 32, timesteps: [200], cfg: 1 });
});
