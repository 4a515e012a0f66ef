/**
 * A model folder in Hugging Face layout, opened: configs read and checked, weights' names and shapes
 * known, bytes still on disk.
 *
 *   unet/ vae/ noise_predictor/   config.json beside the weights
 *   scheduler/scheduler_config.json
 *   prompt_embeds.safetensors     prompt_embeds [1, L, C], optionally negative_prompt_embeds
 */
import type { WeightSource } from '../graph/weight-source.ts';
import { type CheckpointShapes, splitKey } from '../graph/weights.ts';
import {
  type Checkpoint,
  type CheckpointTensor,
  openCheckpoint,
  openFile,
} from '../weights/checkpoint.ts';
import type { Folder } from '../weights/folder.ts';
import type { RawTensor } from '../weights/layout.ts';
import { ConfigError } from './errors.ts';
import {
  type NoisePredictorConfig,
  readNoisePredictorConfig,
  readSchedulerConfig,
  readUNetConfig,
  readVaeConfig,
  type SchedulerConfig,
  type UNetConfig,
  type VaeConfig,
} from './config.ts';
import { placeIn, placeOfRaw, sourceOf } from './weight-place.ts';

export interface ModelConfigs {
  readonly unet: UNetConfig;
  readonly vae: VaeConfig;
  readonly noisePredictor: NoisePredictorConfig;
  readonly scheduler: SchedulerConfig;
}

/** Names, shapes and types; no data. */
export type CheckpointTensors = ReadonlyMap<string, CheckpointTensor>;

export interface ModelShapes {
  readonly unet: CheckpointTensors;
  readonly vae: CheckpointTensors;
  readonly noisePredictor: CheckpointTensors;
  readonly prompt: CheckpointTensors;
}

/** Made by {@link openModel}. */
export interface Model extends WeightSource {
  /** The folder's path or URL. */
  readonly name: string;
  readonly configs: ModelConfigs;
  readonly shapes: ModelShapes;
  /** Closes the files. Not before the last `upscale`, which may still have weights to read. */
  close(): Promise<void>;
}

/** Tensors in memory, by name, as readTensors returns them. */
export type Tensors = ReadonlyMap<string, RawTensor>;

const PROMPTS = ['prompt_embeds', 'negative_prompt_embeds'];

/**
 * Opens a model folder and checks that its parts fit each other; reads headers and no weights.
 * ConfigError: a config asks for what is not built, or the parts are of different models.
 * CheckpointError: a file is missing or damaged.
 *
 * `overrides` may hold prompt_embeds and negative_prompt_embeds, which then replace the folder's
 * (a golden file serves as is).
 */
export async function openModel(folder: Folder, overrides: Tensors = new Map()): Promise<Model> {
  const config = async <T>(
    component: string,
    parse: (text: string, file: string) => T,
    file = 'config.json',
  ): Promise<T> => {
    const inner = folder.folder(component);
    return parse(await inner.readText(file), `${inner.name}/${file}`);
  };
  const configs: ModelConfigs = {
    unet: await config('unet', readUNetConfig),
    vae: await config('vae', readVaeConfig),
    noisePredictor: await config('noise_predictor', readNoisePredictorConfig),
    scheduler: await config('scheduler', readSchedulerConfig, 'scheduler_config.json'),
  };
  checkAgreement(configs, folder.name);

  const given = new Map([...overrides].filter(([name]) => PROMPTS.includes(name)));
  const checkpoints = await openCheckpoints(folder, { hasPrompt: given.has('prompt_embeds') });
  const close = async (): Promise<void> => {
    await Promise.all([...checkpoints.values()].map((checkpoint) => checkpoint.close()));
  };
  const shapesOf = (component: string): CheckpointTensors =>
    checkpoints.get(component)?.tensors ?? new Map();
  const prompt: CheckpointTensors = new Map([...shapesOf('prompt'), ...given]);
  try {
    checkPrompt(prompt, configs, folder.name);
  } catch (error) {
    await close();
    throw error;
  }

  const keys = [...checkpoints].flatMap(([component, { tensors }]) =>
    [...tensors.keys()].map((name) => `${component}/${name}`),
  );
  const order = new Map(keys.map((key, i) => [key, i]));

  return {
    name: folder.name,
    configs,
    shapes: {
      unet: shapesOf('unet'),
      vae: shapesOf('vae'),
      noisePredictor: shapesOf('noise_predictor'),
      prompt,
    },
    ...sourceOf(folder.name, ({ key }) => {
      const { component, name } = splitKey(key);
      const override = component === 'prompt' ? given.get(name) : undefined;
      if (override) return placeOfRaw(override);
      const tensor = checkpoints.get(component)?.tensors.get(name);
      return tensor && placeIn(tensor, order.get(key) ?? 0);
    }),
    close,
  };
}

/** The weight files by component; all of them, or an error and none left open. */
async function openCheckpoints(
  folder: Folder,
  { hasPrompt }: { readonly hasPrompt: boolean },
): Promise<ReadonlyMap<string, Checkpoint>> {
  const checkpoints = new Map<string, Checkpoint>();
  try {
    for (const component of ['unet', 'vae', 'noise_predictor']) {
      checkpoints.set(component, await openCheckpoint(folder.folder(component)));
    }
    if (!hasPrompt) {
      checkpoints.set('prompt', await openFile(folder, 'prompt_embeds.safetensors'));
    }
    return checkpoints;
  } catch (error) {
    await Promise.all([...checkpoints.values()].map((checkpoint) => checkpoint.close()));
    throw error;
  }
}

/** The parts must fit each other. */
function checkAgreement({ unet, vae, noisePredictor }: ModelConfigs, folder: string): void {
  // A latent covers 8x8 pixels of the x4 image and 2x2 of the LR one.
  for (const [what, levels, wanted] of [
    ['vae', vae.channels.length, 4],
    ['noise_predictor', noisePredictor.channels.length, 2],
  ] as const) {
    if (levels === wanted) continue;
    throw new ConfigError(
      `${folder}: the ${what} has ${levels} levels ("block_out_channels"), expected ${wanted}, with which the latents fit a x4 image`,
    );
  }
  const expected = vae.latentChannels;
  const parts = {
    'unet in_channels': unet.inChannels,
    'unet out_channels': unet.outChannels,
    'noise_predictor latent_channels': noisePredictor.latentChannels,
  };
  for (const [what, got] of Object.entries(parts)) {
    if (got === expected) continue;
    throw new ConfigError(
      `${folder}: ${what} is ${got}, but the vae has ${expected} latent channels; the parts are of different models`,
    );
  }
}

/** The prompt must be there; a negative one may be missing (check-model.ts). */
function checkPrompt(prompt: CheckpointShapes, { unet }: ModelConfigs, folder: string): void {
  for (const name of PROMPTS) {
    const shape = prompt.get(name)?.shape;
    if (!shape && name !== 'prompt_embeds') continue;
    const [batch, length = 0, channels, ...rest] = shape ?? [];
    const fits = batch === 1 && length > 0 && channels === unet.contextChannels;
    if (fits && rest.length === 0) continue;
    throw new ConfigError(
      `${folder}: ${name} is ${shape ? `[${shape.join(',')}]` : 'missing'}, expected [1,L,${unet.contextChannels}]`,
    );
  }
}
