/**
 * Graphs of the full-size networks (SD-Turbo, the official noise predictor) from their configs
 * alone, for benches and tests of planning: shapes without weights.
 */
import type { Graph } from '../graph/graph.ts';
import {
  readNoisePredictorConfig,
  readSchedulerConfig,
  readUNetConfig,
  readVaeConfig,
} from './config.ts';
import type { Keys } from './model-keys.ts';
import type { CheckpointTensors } from './model.ts';
import { SIZES } from './synthetic-configs.ts';
import { weightKeys } from './synthetic-model.ts';
import { type ModelFacts, type Stage, stageGraph } from './tile-graph.ts';

const { unet, vae, noise_predictor: noisePredictor, scheduler } = SIZES.full;

const parsed = <T>(read: (text: string, file: string) => T, config: object): T =>
  read(JSON.stringify(config), 'config.json');

const tensors = (keys: Keys): CheckpointTensors =>
  new Map(Object.entries(keys).map(([name, shape]) => [name, { dtype: 'F16', shape }]));

const states = [1, 77, unet.cross_attention_dim];

export const FULL_SIZE: ModelFacts = {
  configs: {
    unet: parsed(readUNetConfig, unet),
    vae: parsed(readVaeConfig, vae),
    noisePredictor: parsed(readNoisePredictorConfig, noisePredictor),
    scheduler: parsed(readSchedulerConfig, scheduler),
  },
  shapes: {
    unet: tensors(weightKeys('unet', SIZES.full)),
    vae: tensors(weightKeys('vae', SIZES.full)),
    noisePredictor: tensors(weightKeys('noise_predictor', SIZES.full)),
    prompt: tensors({ prompt_embeds: states, negative_prompt_embeds: states }),
  },
};

export interface FullSizeOptions {
  /** Side in LR pixels. */
  readonly tile: number;
  readonly precision: 'f16' | 'f32';
  /** @default 1 */
  readonly batch?: number;
}

/** One stage of InvSR-1. */
export const fullSizeGraph = (stage: Stage, { batch = 1, ...options }: FullSizeOptions): Graph =>
  stageGraph(stage, FULL_SIZE, { ...options, batch, timesteps: [200], cfg: 1, noise: 'generated' });
