/**
 * Says before any GPU work whether a model's weights fit its configs: builds the graphs of one tile,
 * which ask for every tensor by name and shape, and looks at the types of those it asked for.
 */
import { splitKey } from '../graph/weights.ts';
import { CheckpointError } from '../weights/error.ts';
import { CONVERTIBLE } from '../weights/layout.ts';
import { ConfigError } from './errors.ts';
import type { CheckpointTensors, Model } from './model.ts';
import { stageGraph, STAGES, type TileGraphOptions } from './tile-graph.ts';

/** Guidance steers away from a negative prompt: throws ConfigError where there is none. */
export function checkGuidance({ shapes }: Pick<Model, 'shapes'>, cfg: number): void {
  if (cfg === 1 || shapes.prompt.has('negative_prompt_embeds')) return;
  throw new ConfigError(
    `--cfg ${cfg} needs negative_prompt_embeds (in prompt_embeds.safetensors or the --noise file), which this model does not have; leave --cfg out`,
  );
}

/** Throws ConfigError, WeightError, CheckpointError or TimestepError, naming what does not fit. */
export function checkModel(
  model: Model,
  options: Pick<TileGraphOptions, 'tile' | 'timesteps' | 'cfg'>,
): void {
  checkGuidance(model, options.cfg);
  const { shapes } = model;
  const components: Readonly<Record<string, CheckpointTensors>> = {
    unet: shapes.unet,
    vae: shapes.vae,
    noise_predictor: shapes.noisePredictor,
    prompt: shapes.prompt,
  };
  const shape = { ...options, precision: 'f32', batch: 1, noise: 'generated' } as const;
  const weights = STAGES.flatMap((stage) => [...stageGraph(stage, model, shape).weights.values()]);
  checkLayers(model.name, components, new Set(weights.map(({ key }) => key)));
  for (const { key } of weights) {
    const { component, name } = splitKey(key);
    const dtype = components[component]?.get(name)?.dtype;
    if (dtype === undefined || CONVERTIBLE.has(dtype)) continue;
    throw new CheckpointError(
      `${model.name}: ${key} is ${dtype}, expected ${[...CONVERTIBLE].join(', ')}; convert the weights`,
    );
  }
}

/** A layer or a level of these that no graph asked for: the config has fewer than the weights. */
const LAYER = /\b(?:down_blocks|up_blocks|resnets|attentions|transformer_blocks)\.\d+\./;

/** Extra tensors do no harm (an EMA's counters, position_ids), extra layers mean another model. */
function checkLayers(
  name: string,
  components: Readonly<Record<string, CheckpointTensors>>,
  used: ReadonlySet<string>,
): void {
  for (const [component, tensors] of Object.entries(components)) {
    const extra = [...tensors.keys()].find((t) => LAYER.test(t) && !used.has(`${component}/${t}`));
    if (extra === undefined) continue;
    throw new ConfigError(
      `${name}: ${component} has ${extra}, but its config.json describes no such layer: config.json and weights are of different models`,
    );
  }
}
