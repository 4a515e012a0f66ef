/** The context that every command works on: with what was tuned on this adapter. */
import type { EngineContext } from '../engine/context.ts';
import { loadPlanner } from '../graph/lower.ts';
import { openContext as contextOf } from '../graph/open-context.ts';
import type { NodeDevice } from '../engine/node-device.ts';
import { type DesignStore, openDesigns } from './tuned-designs.ts';

export interface OpenedContext {
  readonly context: EngineContext;
  readonly store: DesignStore;
  /** Lines for the user. */
  readonly notes: readonly string[];
}

export interface ContextOptions {
  /** False: designs as they are shipped or guessed, whatever was tuned here. @default true */
  readonly tuned?: boolean;
  /** The table counts as empty, and the next `save` replaces it. @default false */
  readonly forget?: boolean;
}

/** INVSR_DEBUG=1 adds where the designs are from. */
export async function openContext(
  {
    device,
    capabilities,
    matrix,
    notice,
  }: Pick<NodeDevice, 'device' | 'capabilities' | 'matrix' | 'notice'>,
  { tuned = true, forget = false }: ContextOptions = {},
): Promise<OpenedContext> {
  const store = await openDesigns(capabilities, { forget });
  const { table, problem } = store;
  const notes = [
    notice,
    problem,
    process.env['INVSR_DEBUG'] ? `designs: ${originOf(store)}` : undefined,
  ];
  const designs = tuned ? table?.designs : undefined;
  const context = await contextOf(device, { ...(matrix && { matrix }), designs });
  // Benches and tuning make kernels and plans by hand.
  await loadPlanner(context.target);
  return {
    context,
    store,
    notes: notes.filter((line) => line !== undefined),
  };
}

/** Where designs come from, in one line. */
export function originOf({ table, file }: DesignStore): string {
  if (!table) return 'shipped or guessed; nothing is tuned (invsr tune)';
  const count = Object.keys(table.designs).length;
  return `${count} classes of sizes tuned on ${table.measuredAt.slice(0, 10)} (${file})`;
}
