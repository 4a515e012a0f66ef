/**
 * What the models that are fetched consist of: where each file comes from and where it belongs in a
 * model folder (docs/architecture.md). Sizes and checksums are the hub's to tell.
 */

/** One file of a model. */
export interface Part {
  /** Where it belongs, e.g. `unet`. */
  readonly folder: string;
  /** Paths in the repository; the first that exists is taken. The last segment is its name here. */
  readonly candidates: readonly string[];
  /** The model works without it. */
  readonly isOptional?: boolean;
}

export interface Licence {
  readonly name: string;
  readonly terms: string;
  readonly url: string;
}

export interface Source {
  /** `owner/name` on the hub. */
  readonly repo: string;
  readonly licence: Licence;
  readonly parts: readonly Part[];
}

export interface HubModel {
  readonly name: string;
  readonly sources: readonly Source[];
  /** Files that no repository has, by path in the model folder. */
  readonly own: ReadonlyMap<string, string>;
}

/**
 * The noise predictor's checkpoint comes without a config.json. These are the settings it was
 * trained with: https://github.com/zsyOAOA/InvSR/blob/27f2eb7dc3b67c06cd58eba34db19593dfa89493/configs/sample-sd-turbo.yaml, where it
 * is called "model_start".
 */
const NOISE_PREDICTOR = {
  _class_name: 'NoisePredictor',
  in_channels: 3,
  latent_channels: 4,
  double_z: true,
  block_out_channels: [256, 512],
  down_block_types: ['AttnDownBlock2D', 'AttnDownBlock2D'],
  layers_per_block: [3, 3],
  mid_block_add_attention: true,
  attention_head_dim: 64,
  norm_num_groups: 32,
  act_fn: 'silu',
  temb_channels: 512,
  resnet_time_scale_shift: 'default',
  flip_sin_to_cos: true,
  freq_shift: 0,
};

/** Half precision where the repository has it. */
const weights = (folder: string, stem: string): Part => ({
  folder,
  candidates: [`${folder}/${stem}.fp16.safetensors`, `${folder}/${stem}.safetensors`],
});
const file = (folder: string, name: string, isOptional = false): Part => ({
  folder,
  candidates: [`${folder}/${name}`],
  isOptional,
});

export const SD_TURBO: HubModel = {
  name: 'sd-turbo',
  sources: [
    {
      repo: 'stabilityai/sd-turbo',
      licence: {
        name: 'Stability AI Community License',
        terms: 'free below one million US dollars of yearly revenue, else by agreement',
        url: 'https://stability.ai/license',
      },
      parts: [
        file('unet', 'config.json'),
        weights('unet', 'diffusion_pytorch_model'),
        file('vae', 'config.json'),
        weights('vae', 'diffusion_pytorch_model'),
        file('text_encoder', 'config.json'),
        weights('text_encoder', 'model'),
        file('scheduler', 'scheduler_config.json'),
        file('tokenizer', 'vocab.json'),
        file('tokenizer', 'merges.txt'),
        file('tokenizer', 'tokenizer_config.json', true),
        file('tokenizer', 'special_tokens_map.json', true),
      ],
    },
    {
      repo: 'OAOA/InvSR',
      licence: {
        name: 'NTU S-Lab License 1.0',
        terms: 'non-commercial use only',
        url: 'https://github.com/zsyOAOA/InvSR/blob/master/LICENSE',
      },
      parts: [{ folder: 'noise_predictor', candidates: ['noise_predictor_sd_turbo_v5.pth'] }],
    },
  ],
  own: new Map([['noise_predictor/config.json', `${JSON.stringify(NOISE_PREDICTOR, null, 2)}\n`]]),
};

/** Models that can be fetched. */
export const HUB_MODELS: readonly HubModel[] = [SD_TURBO];

/** Where a candidate belongs in the model folder. */
export const targetOf = ({ folder }: Part, candidate: string): string =>
  `${folder}/${candidate.slice(candidate.lastIndexOf('/') + 1)}`;
