/** A model folder opened on an adapter, as the bench of loads takes it: with the weights of one tile's plans. */
import type { EngineContext } from '../src/engine/context.ts';
import { createDevice } from '../src/engine/node-device.ts';
import type { PlanWeight } from '../src/engine/plan.ts';
import { weightId } from '../src/engine/weight-store.ts';
import { openContext } from '../src/graph/open-context.ts';
import { type Model, openModel } from '../src/invsr/model.ts';
import { STAGES } from '../src/invsr/tile-graph.ts';
import { TileNetworks } from '../src/invsr/tile-networks.ts';
import { nodeFolder } from '../src/weights/node-file.ts';

/** Of the tile whose networks are loaded. */
export const KIND = { noise: 'generated', dump: undefined } as const;

export interface Opened {
  readonly context: EngineContext;
  readonly model: Model;
  readonly networks: TileNetworks;
  /** Every one once. */
  readonly weights: readonly PlanWeight[];
}

/** Opens it for `work` alone: the device, the plans and the files end with it. */
export async function withFolder<T>(
  path: string,
  adapter: string,
  work: (opened: Opened) => Promise<T>,
): Promise<T> {
  const { device, capabilities } = await createDevice({ adapter });
  const context = await openContext(device);
  const model = await openModel(nodeFolder(path));
  const networks = new TileNetworks(context, model, {
    precision: capabilities.shaderF16 ? 'f16' : 'f32',
    tile: 128,
    timesteps: [200],
    cfg: 1,
    vaeTiling: null,
    lowMemory: false,
  });
  try {
    await networks.plans.ahead(1, KIND);
    const all = STAGES.flatMap((stage) => networks.plans.of(stage, 1, KIND).weights);
    const weights = [...new Map(all.map((weight) => [weightId(weight), weight])).values()];
    return await work({ context, model, networks, weights });
  } finally {
    networks.dispose();
    context.dispose();
    device.destroy();
    await model.close();
  }
}
