/** Whole models from config files alone: synthetic weights under the names that the configs imply. */
import { type Folder, memoryFolder } from '../../src/weights/folder.ts';
import {
  concatBytes,
  safetensorsParts,
  type TensorData,
} from '../../src/weights/safetensors-write.ts';
import {
  type Keys,
  type NoisePredictorJson,
  noisePredictorKeys,
  unetKeys,
  type UNetJson,
  vaeKeys,
  type VaeJson,
} from '../../src/invsr/model-keys.ts';
import { fromHalf, naive, Scope } from './naive-ops.ts';
import type { NaiveModel } from './naive-path.ts';
import { pseudoNormal, syntheticWeight } from '../../src/weights/synthetic.ts';
import { TINY_PARTS, type TinyPart } from './synthetic.ts';

export interface ModelDescription {
  readonly unet: UNetJson;
  readonly vae: VaeJson;
  readonly noise_predictor: NoisePredictorJson;
  /** Tokens of the prompt. */
  readonly promptLength: number;
  /** The VAE's attention has the names and 1x1 convolutions of old files. */
  readonly isOldVae?: boolean;
}

const CLASSES = {
  unet: { _class_name: 'UNet2DConditionModel', mid_block_type: 'UNetMidBlock2DCrossAttn' },
  vae: { _class_name: 'AutoencoderKL', in_channels: 3, out_channels: 3 },
  noise_predictor: { _class_name: 'NoisePredictor', in_channels: 3, double_z: true },
} as const;

export const keysOf = (model: ModelDescription): Readonly<Record<TinyPart, Keys>> => ({
  unet: unetKeys(model.unet),
  vae: vaeKeys(model.vae, { isOld: model.isOldVae ?? false }),
  noise_predictor: noisePredictorKeys(model.noise_predictor),
});

const PROMPTS = ['prompt_embeds', 'negative_prompt_embeds'] as const;
const promptShape = ({ promptLength, unet }: ModelDescription): number[] => [
  1,
  promptLength,
  unet.cross_attention_dim,
];
const promptData = (model: ModelDescription, name: string): Float32Array<ArrayBuffer> =>
  Float32Array.from(
    pseudoNormal(
      name,
      promptShape(model).reduce((a, b) => a * b),
    ),
  );

export function modelFolder(name: string, model: ModelDescription): Folder {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  const json = (file: string, value: object): unknown =>
    files.set(file, new TextEncoder().encode(JSON.stringify(value)));
  const tensors = (file: string, entries: readonly (readonly [string, TensorData])[]): unknown =>
    files.set(file, concatBytes(safetensorsParts(new Map(entries))));

  for (const part of TINY_PARTS) {
    json(`${part}/config.json`, { ...CLASSES[part], ...blockTypes(part, model), ...model[part] });
    const entries = Object.entries(keysOf(model)[part]).map(([key, shape]) => {
      const bytes = new Uint8Array(syntheticWeight(part, key, shape).buffer);
      return [key, { dtype: 'F16', shape, bytes }] as const;
    });
    tensors(`${part}/diffusion_pytorch_model.safetensors`, entries);
  }
  json('scheduler/scheduler_config.json', {
    _class_name: 'EulerDiscreteScheduler',
    beta_schedule: 'scaled_linear',
    beta_start: 0.00085,
    beta_end: 0.012,
  });
  const prompts = PROMPTS.map((prompt) => {
    const bytes = new Uint8Array(promptData(model, prompt).buffer);
    return [prompt, { dtype: 'F32', shape: promptShape(model), bytes }] as const;
  });
  tensors('prompt_embeds.safetensors', prompts);
  return memoryFolder(name, files);
}

/** The VAE's blocks are all of one kind. */
function blockTypes(part: TinyPart, { vae }: ModelDescription): object {
  if (part !== 'vae') return {};
  return {
    down_block_types: vae.block_out_channels.map(() => 'DownEncoderBlock2D'),
    up_block_types: vae.block_out_channels.map(() => 'UpDecoderBlock2D'),
  };
}

/** The same model for the oracle. */
export function naiveModel(model: ModelDescription): NaiveModel {
  const scope = (part: TinyPart): Scope =>
    new Scope(
      new Map(
        Object.entries(keysOf(model)[part]).map(([key, shape]) => [
          key,
          fromHalf(shape, syntheticWeight(part, key, shape)),
        ]),
      ),
    );
  const prompt = (name: string) => naive(promptShape(model), promptData(model, name));
  return {
    ...model,
    weights: { unet: scope('unet'), vae: scope('vae'), noise_predictor: scope('noise_predictor') },
    prompt: prompt('prompt_embeds'),
    negative: prompt('negative_prompt_embeds'),
  };
}
