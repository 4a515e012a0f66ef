/** Tuning for a model: the classes of sizes of its whole path for one batch of tiles. */
import type { EngineContext } from '../engine/context.ts';
import { loadPlanner } from '../graph/lower.ts';
import { stageGraph, STAGES, type TileGraphOptions, type ModelFacts } from '../invsr/tile-graph.ts';
import { type Subject, subjectsOf } from './subjects.ts';
import { type TuneOptions, type TuneResult, tuneSubjects } from './tune.ts';

/** What the graphs to tune for depend on; as in UpscaleSettings. */
export interface TuneFor {
  /** @default f16 where the device has it */
  readonly precision?: TileGraphOptions['precision'];
  /** @default 128 */
  readonly tile?: number;
  /** @default 1 */
  readonly tileBatch?: number;
  /** @default as where there is memory to spare */
  readonly compact?: boolean;
}

/** Classes in `known` are not measured again. */
export interface TuneModelOptions extends TuneFor, TuneOptions {}

/** One step and no guidance: further ones repeat the same sizes. NotLoadedError: `loadPlanner`. */
export function modelSubjects(
  context: EngineContext,
  model: ModelFacts,
  { precision, tile = 128, tileBatch = 1, compact }: TuneFor = {},
): Subject[] {
  const options: TileGraphOptions = {
    precision: precision ?? (context.capabilities.shaderF16 ? 'f16' : 'f32'),
    batch: tileBatch,
    tile,
    timesteps: [200],
    cfg: 1,
    noise: 'generated',
  };
  return subjectsOf(
    STAGES.map((stage) => stageGraph(stage, model, options)),
    context,
    { compact: compact ?? context.capabilities.family === 'cpu' },
  );
}

/**
 * The fastest designs for `model` on this device; `designs` of the result goes to createContext.
 * Needs no weights. Takes seconds per class of sizes on a GPU, minutes on a software adapter.
 */
export async function tune(
  context: EngineContext,
  model: ModelFacts,
  options: TuneModelOptions = {},
): Promise<TuneResult> {
  const { known = {} } = options;
  await loadPlanner(context.target);
  const subjects = modelSubjects(context, model, options).filter(({ key }) => !(key in known));
  return tuneSubjects(context, subjects, options);
}
