/**
 * What part of a model a file is that lies in no folder and has no name of its own, as browsers save
 * them: `config (1).json`, `diffusion_pytorch_model.fp16 (1).safetensors`. Its contents tell.
 */
import { openFile } from '../checkpoint.ts';
import { CheckpointError } from '../error.ts';
import { blobFolder } from '../folder.ts';

/** By the class that a config names. */
const CLASSES: Readonly<Record<string, string>> = {
  UNet2DConditionModel: 'unet/config.json',
  AutoencoderKL: 'vae/config.json',
  NoisePredictor: 'noise_predictor/config.json',
  CLIPTextModel: 'text_encoder/config.json',
  EulerDiscreteScheduler: 'scheduler/scheduler_config.json',
};

/** By a tensor that no other part has. */
const TENSORS: Readonly<Record<string, string>> = {
  'time_embedding.linear_1.weight': 'unet/diffusion_pytorch_model',
  'decoder.conv_in.weight': 'vae/diffusion_pytorch_model',
  'encoder.time_embedding.linear_1.weight': 'noise_predictor/diffusion_pytorch_model',
  'text_model.embeddings.token_embedding.weight': 'text_encoder/model',
  prompt_embeds: 'prompt_embeds',
};

/** Nobody's config is larger. */
const MAX_CONFIG_BYTES = 2 ** 20;

/** Its path in the model's folder; undefined where it is none. CheckpointError: it is damaged. */
export async function identify(file: File): Promise<string | undefined> {
  const [ending] = /\.(?:json|safetensors|pth|pt)$/i.exec(file.name) ?? [];
  if (ending === undefined) return undefined;
  if (ending === '.json') return file.size > MAX_CONFIG_BYTES ? undefined : identifyConfig(file);
  const folder = blobFolder('dropped files', new Map([[file.name, file]]));
  const checkpoint = await openFile(folder, file.name);
  await checkpoint.close();
  for (const [tensor, path] of Object.entries(TENSORS)) {
    if (checkpoint.tensors.has(tensor)) return `${path}${ending}`;
  }
  const [first = ''] = checkpoint.tensors.keys();
  if (!/^(?:model\.diffusion_model|first_stage_model|cond_stage_model)\./.test(first)) {
    return undefined;
  }
  throw new CheckpointError(
    `${file.name} is a whole model in one file, as other programs use it; get the folders unet, vae, scheduler and text_encoder of the same model`,
  );
}

async function identifyConfig(file: File): Promise<string | undefined> {
  try {
    const config = JSON.parse(await file.text()) as {
      readonly ['_class_name']?: string;
      readonly architectures?: readonly string[];
    } | null;
    return CLASSES[config?.['_class_name'] ?? config?.architectures?.[0] ?? ''];
  } catch {
    return undefined;
  }
}
