/** `invsr info --plan`: what upscale would run of a model on an adapter, dispatch by dispatch; nothing of it is run. */
import type { EngineContext } from '../engine/context.ts';
import { nameOf } from '../engine/device.ts';
import { createDevice } from '../engine/node-device.ts';
import { printPlan } from '../graph/print.ts';
import { type Model, openModel } from '../invsr/model.ts';
import { STAGES } from '../invsr/tile-graph.ts';
import { TilePlans } from '../invsr/tile-plans.ts';
import { withDefaults } from '../invsr/upscale-settings.ts';
import { openContext } from './context.ts';
import { modelPlace } from './models.ts';
import type { CommandContext } from './progress.ts';
import { findPrompts } from './prompts.ts';
import type { UpscaleFlags } from './upscale-flags.ts';

export type PlanFlags = Pick<UpscaleFlags, 'model' | 'adapter' | 'precision' | 'tile'>;

export async function printPlans(flags: PlanFlags, work: CommandContext): Promise<void> {
  const model = await openShapes(flags.model, work);
  try {
    const made = await createDevice(flags);
    try {
      const { context, notes } = await openContext(made);
      for (const note of notes) work.reporter.note(note);
      const plans = plansOf(context, model, flags);
      const facts = { adapter: nameOf(made.capabilities), model: flags.model };
      const lines = Object.entries(plans).flatMap(([stage, text]) => [`${stage}\n\n${text}`]);
      work.reporter.result({ ...facts, plans }, lines);
    } finally {
      made.device.destroy();
    }
  } finally {
    await model.close();
  }
}

/** A model whose prompt need not be encoded: zeros have the same shape. */
async function openShapes(name: string, work: CommandContext): Promise<Model> {
  const { folder, notes } = await modelPlace(name);
  const prompts = await findPrompts(folder, { cfg: 1 }, { ...work, notes });
  try {
    return await openModel(folder, prompts?.known);
  } finally {
    await prompts?.close();
  }
}

/** By stage, as text, for one batch of tiles. */
function plansOf(
  context: EngineContext,
  model: Model,
  { precision, tile }: PlanFlags,
): Readonly<Record<string, string>> {
  const given = { tile, ...(precision !== 'auto' && { precision }) };
  const options = withDefaults(given, context);
  const plans = new TilePlans(context, model, options);
  const print = (stage: (typeof STAGES)[number]): string =>
    printPlan(plans.of(stage, options.tileBatch, { noise: 'generated' }));
  return Object.fromEntries(STAGES.map((stage) => [stage, print(stage)]));
}
