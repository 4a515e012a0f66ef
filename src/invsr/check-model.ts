/**
 * Says before any GPU work whether a model's weights fit its configs: builds the graph of one tile,
 * which asks for every tensor by name and shape, and looks at the types of those it asked for.
 */
import { CheckpointError } from '../weights/error.ts';
import { CONVERTIBLE } from '../weights/layout.ts';
import type { CheckpointTensors, Model } from './model.ts';
import { tileGraph, type TileGraphOptions } from './tile-graph.ts';

/** Throws WeightError, CheckpointError or TimestepError, naming the tensor or the timestep. */
export function checkModel(
  model: Model,
  options: Pick<TileGraphOptions, 'tile' | 'timesteps' | 'cfg'>,
): void {
  const { shapes } = model;
  const components: Readonly<Record<string, CheckpointTensors>> = {
    unet: shapes.unet,
    vae: shapes.vae,
    noise_predictor: shapes.noisePredictor,
    prompt: shapes.prompt,
  };
  const graph = tileGraph(model, { ...options, precision: 'f32', batch: 1, noise: 'generated' });
  for (const { key } of graph.weights.values()) {
    const slash = key.indexOf('/');
    const dtype = components[key.slice(0, slash)]?.get(key.slice(slash + 1))?.dtype;
    if (dtype === undefined || CONVERTIBLE.has(dtype)) continue;
    throw new CheckpointError(
      `${model.name}: ${key} is ${dtype}, expected ${[...CONVERTIBLE].join(', ')}; convert the weights`,
    );
  }
}
