/**
 * A whole model of synthetic weights (weights/synthetic.ts) as files in Hugging Face layout: small
 * ones as text or bytes, weights as streams that are made while they are written.
 */
import { fillWeight, pseudoNormal, syntheticWeight, weightStream } from '../weights/synthetic.ts';
import { toHalf, toSingle } from '../weights/half.ts';
import { torchFile } from '../weights/pth-write.ts';
import { concatBytes, safetensorsHeader, safetensorsParts } from '../weights/safetensors-write.ts';
import { clipKeys, type Keys, noisePredictorKeys, unetKeys, vaeKeys } from './model-keys.ts';
import { MODEL_INDEX, type SyntheticConfigs } from './synthetic-configs.ts';

export const PARTS = ['scheduler', 'noise_predictor', 'vae', 'text_encoder', 'unet'] as const;
export type Part = (typeof PARTS)[number];
export type WeightPart = Exclude<Part, 'scheduler'>;

/** In the folder and in every file: nobody should take these weights for a trained model. */
export const NOTICE =
  'These weights are synthetic noise from a published rule, made by `invsr weights synth`. They have the names, ' +
  'shapes and magnitudes of a trained model and none of its content: pictures made with them are texture.\n';

const METADATA = { format: 'pt', synthetic: NOTICE.trim() };

/** Tokens of a prompt, as CLIP has them. */
const PROMPT_LENGTH = 77;

/** Bytes generated at once. */
const CHUNK = 4 << 20;

export interface ModelFile {
  readonly path: string;
  readonly bytes: number;
  /** The content in pieces, each valid until the next is asked for. */
  readonly content: () => Iterable<Uint8Array<ArrayBuffer>>;
}

export const weightKeys = (part: WeightPart, configs: SyntheticConfigs): Keys => {
  switch (part) {
    case 'unet':
      return unetKeys(configs.unet);
    case 'vae':
      return vaeKeys(configs.vae);
    case 'noise_predictor':
      return noisePredictorKeys(configs.noise_predictor);
    case 'text_encoder':
      return clipKeys(configs.text_encoder);
  }
};

/** The name under which the noise predictor is published. */
const PTH = 'noise_predictor_sd_turbo_v5.pth';

export interface ModelOptions {
  readonly parts: readonly Part[];
  /** The noise predictor as a file of PyTorch in f32. */
  readonly pth: boolean;
}

/** Every file of the chosen parts, small ones first within a part. */
export function syntheticModel(
  configs: SyntheticConfigs,
  { parts, pth }: ModelOptions,
): ModelFile[] {
  const files: ModelFile[] = [
    textFile('SYNTHETIC.txt', NOTICE),
    jsonFile('model_index.json', MODEL_INDEX),
  ];
  for (const part of PARTS) {
    if (!parts.includes(part)) continue;
    if (part === 'scheduler') {
      files.push(jsonFile('scheduler/scheduler_config.json', configs.scheduler));
      continue;
    }
    files.push(jsonFile(`${part}/config.json`, configs[part]));
    // Without a tokenizer no text encoder could make them, so noise stands in for a prompt's states.
    if (part === 'unet') files.push(promptFile(configs));
    if (part === 'noise_predictor' && pth) {
      files.push(torchWeights(`${part}/${PTH}`, part, weightKeys(part, configs)));
      continue;
    }
    const stem = part === 'text_encoder' ? 'model' : 'diffusion_pytorch_model';
    files.push(weightFile(`${part}/${stem}.fp16.safetensors`, part, weightKeys(part, configs)));
  }
  return files;
}

function bytesFile(path: string, content: Uint8Array<ArrayBuffer>): ModelFile {
  return { path, bytes: content.length, content: () => [content] };
}

const textFile = (path: string, text: string): ModelFile =>
  bytesFile(path, new TextEncoder().encode(text));

const jsonFile = (path: string, value: object): ModelFile =>
  textFile(path, `${JSON.stringify(value, null, 2)}\n`);

function promptFile({ unet }: SyntheticConfigs): ModelFile {
  const shape = [1, PROMPT_LENGTH, unet.cross_attention_dim];
  const states = ['prompt_embeds', 'negative_prompt_embeds'].map((name) => {
    const values = toHalf(pseudoNormal(name, PROMPT_LENGTH * unet.cross_attention_dim));
    return [name, { dtype: 'F16', shape, bytes: new Uint8Array(values.buffer) }] as const;
  });
  const content = concatBytes(safetensorsParts(new Map(states), METADATA));
  return bytesFile('prompt_embeds.safetensors', content);
}

/** A part's weights as torch.save writes a state dict. */
export function torchWeights(path: string, part: WeightPart, keys: Keys): ModelFile {
  const tensors = Object.entries(keys).map(([name, shape]) => {
    const read = (): Float32Array<ArrayBuffer> => toSingle(syntheticWeight(part, name, shape));
    return [name, { shape, read }] as const;
  });
  return { path, ...torchFile(new Map(tensors)) };
}

/** A part's weights as an f16 safetensors file. */
export function weightFile(path: string, part: WeightPart, keys: Keys): ModelFile {
  const tensors = new Map(
    Object.entries(keys).map(([name, shape]) => [name, { dtype: 'F16', shape }] as const),
  );
  const header = safetensorsHeader(tensors, METADATA);
  const elements = (name: string): number => keys[name]?.reduce((n, d) => n * d, 1) ?? 0;
  const total = header.names.reduce((sum, name) => sum + elements(name), 0);
  return {
    path,
    bytes: header.bytes.length + 2 * total,
    content: function* () {
      yield header.bytes;
      const chunk = new Uint16Array(CHUNK / 2);
      for (const name of header.names) {
        const stream = weightStream(part, name, keys[name] ?? []);
        const count = elements(name);
        for (let from = 0; from < count; from += chunk.length) {
          const part16 = chunk.subarray(0, Math.min(chunk.length, count - from));
          fillWeight(part16, { ...stream, from });
          yield new Uint8Array(part16.buffer, 0, part16.byteLength);
        }
      }
    },
  };
}
