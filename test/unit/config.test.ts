/** config.json files: what is read, and what is refused by name. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  readNoisePredictorConfig,
  readSchedulerConfig,
  readTextEncoderConfig,
  readUNetConfig,
  readVaeConfig,
} from '../../src/invsr/config.ts';

const nano = (path: string): Record<string, unknown> =>
  JSON.parse(readFileSync(`weights/invsr-nano/${path}`, 'utf8'));
const clip = {
  architectures: ['CLIPTextModel'],
  model_type: 'clip_text_model',
  hidden_act: 'gelu',
  hidden_size: 1024,
  num_attention_heads: 16,
  num_hidden_layers: 23,
};
const text = (config: object, changes: object = {}): string =>
  JSON.stringify({ ...config, ...changes });

const unet = nano('unet/config.json');
const vae = nano('vae/config.json');
const predictor = nano('noise_predictor/config.json');
const scheduler = nano('scheduler/scheduler_config.json');

test('invsr-nano', () => {
  expect(readUNetConfig(text(unet), 'unet')).toMatchObject({
    channels: [32, 32, 32, 32],
    heads: [1, 2, 2, 2],
    resnetsPerLevel: [1, 1, 1, 1],
    downAttention: [true, true, true, false],
    contextChannels: 64,
  });
  expect(readVaeConfig(text(vae), 'vae')).toMatchObject({
    latentChannels: 16,
    scalingFactor: 0.92952,
  });
  expect(readNoisePredictorConfig(text(predictor), 'np')).toMatchObject({
    attention: [false, true],
    resnetsPerLevel: [2, 1],
    headDim: 48,
  });
  expect(readSchedulerConfig(text(scheduler), 's')).toEqual({
    betaStart: 0.00085,
    betaEnd: 0.012,
    trainTimesteps: 1000,
  });
});

describe("a text encoder's", () => {
  test('defaults are those of transformers', () => {
    expect(readTextEncoderConfig(text(clip), 'clip')).toEqual({
      layers: 23,
      heads: 16,
      channels: 1024,
      positions: 77,
      vocabulary: 49408,
      activation: 'gelu',
      eps: 1e-5,
    });
    const { activation } = readTextEncoderConfig(text(clip, { hidden_act: null }), 'clip');
    expect(activation).toBe('quickGelu');
  });

  test('last layers are left out where the config says so', () => {
    const skipping = text(clip, { num_hidden_layers: 24, clip_skip: 1 });
    expect(readTextEncoderConfig(skipping, 'clip').layers).toBe(23);
  });
});

describe('refused', () => {
  test.each([
    [
      readTextEncoderConfig,
      clip,
      { hidden_act: 'relu' },
      /"hidden_act" is "relu", expected "gelu" or "quick_gelu"/,
    ],
    [
      readTextEncoderConfig,
      clip,
      { model_type: 't5' },
      /"model_type" is "t5", expected "clip_text_model"/,
    ],
    [
      readTextEncoderConfig,
      clip,
      { num_attention_heads: 12 },
      /"num_attention_heads" is 12, expected heads of a multiple of 4 channels; there are 1024/,
    ],
    [
      readTextEncoderConfig,
      clip,
      { clip_skip: 23 },
      /"clip_skip" is 23, expected less than num_hidden_layers, 23/,
    ],
    [
      readUNetConfig,
      unet,
      { down_block_types: ['A', 'B', 'C', 'D'] },
      /"down_block_types" is "A", expected one of CrossAttnDownBlock2D, DownBlock2D/,
    ],
    [readUNetConfig, unet, { act_fn: 'gelu' }, /"act_fn" is "gelu", expected "silu"/],
    [
      readUNetConfig,
      unet,
      { attention_head_dim: [1, 2] },
      /"attention_head_dim" is \[1,2\], expected 4 positive integers/,
    ],
    [
      readUNetConfig,
      unet,
      { layers_per_block: 1.5 },
      /"layers_per_block" is 1.5, expected 4 positive integers/,
    ],
    [readUNetConfig, unet, { attention_head_dim: 0 }, /"attention_head_dim" is 0, expected 4/],
    [
      readUNetConfig,
      unet,
      { attention_head_dim: [3, 2, 2, 2] },
      /"attention_head_dim" is \[3,2,2,2\], expected heads of a multiple of 4 channels; level 0/,
    ],
    [
      readUNetConfig,
      unet,
      { num_attention_heads: 16 },
      /"num_attention_heads" is \[16,16,16,16\], expected heads of a multiple of 4 channels/,
    ],
    [
      readUNetConfig,
      unet,
      { block_out_channels: [32, 32, 40, 34] },
      /"block_out_channels" is \[32,32,40,34\], expected multiples of 4$/,
    ],
    [
      readVaeConfig,
      vae,
      { norm_num_groups: 32 },
      /"block_out_channels" is .*, expected multiples of norm_num_groups, 32/,
    ],
    [
      readNoisePredictorConfig,
      predictor,
      { attention_head_dim: 64 },
      /"attention_head_dim" is 64, expected a multiple of 4, at most the channels/,
    ],
    [readUNetConfig, unet, { _class_name: 'UNet3D' }, /"_class_name" is "UNet3D"/],
    [readUNetConfig, unet, { in_channels: '16' }, /"in_channels" is "16", expected a number/],
    [
      readUNetConfig,
      unet,
      { class_embed_type: 'timestep' },
      /"class_embed_type" is "timestep", expected null/,
    ],
    [
      readVaeConfig,
      vae,
      { up_block_types: ['AttnUpDecoderBlock2D', 'x', 'y', 'z'] },
      /"up_block_types" is "AttnUpDecoderBlock2D"/,
    ],
    [readVaeConfig, vae, { in_channels: 1 }, /"in_channels" is 1, expected 3/],
    [
      readNoisePredictorConfig,
      predictor,
      { double_z: false },
      /"double_z" is false, expected true/,
    ],
    [readSchedulerConfig, scheduler, { beta_schedule: 'linear' }, /"beta_schedule" is "linear"/],
    [
      readSchedulerConfig,
      scheduler,
      { beta_start: null },
      /"beta_start" is missing, expected a number/,
    ],
  ] as const)('%o %o %o', (read, config, changes, message) => {
    expect(() => read(text(config, changes), 'folder/config.json')).toThrow(message);
    expect(() => read(text(config, changes), 'folder/config.json')).toThrow(
      /^folder\/config\.json: /,
    );
  });

  test('not JSON, not an object', () => {
    expect(() => readVaeConfig('{', 'vae/config.json')).toThrow(
      'vae/config.json is not valid JSON',
    );
    expect(() => readVaeConfig('[]', 'vae/config.json')).toThrow('is not a JSON object');
  });
});
