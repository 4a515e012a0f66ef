/** A device with a model's networks on it, opened when the first picture is ready and closed at the end. */
import type { EngineContext } from '../engine/context.ts';
import { type Capabilities, nameOf } from '../engine/device.ts';
import { createDevice } from '../engine/node-device.ts';
import { fitMemory, type MemoryFit } from '../invsr/memory-fit.ts';
import type { MemoryPlan } from '../invsr/memory-plan.ts';
import type { Model } from '../invsr/model.ts';
import type { TileNetworks } from '../invsr/tile-networks.ts';
import type { UpscaleSettings } from '../invsr/upscale-settings.ts';
import { tuneInBackground } from '../tune/background.ts';
import type { TuneResult } from '../tune/tune.ts';
import { openContext } from './context.ts';
import { humanBytes } from './transfer-progress.ts';
import { tuneAndKeep } from './tune.ts';
import type { CommandContext } from './progress.ts';

export interface Session {
  readonly networks: TileNetworks;
  /** The networks' and the frame's, as they fit the device. */
  readonly options: Required<UpscaleSettings>;
  /** The adapter, for people. */
  readonly adapter: string;
  /** Lines for the user: that there is no GPU, what memory the work takes. */
  readonly notes: readonly string[];
  readonly memory: MemoryPlan;
  /** Measures designs for later runs with these options, for two minutes at most. */
  tune(work: CommandContext): Promise<TuneResult>;
  close(): Promise<void>;
}

/** `prepare` finishes the model on the device before the networks have it. */
export async function openSession(
  prepare: (context: EngineContext) => Promise<Model>,
  asked: UpscaleSettings,
  { adapter, memory: limit }: { readonly adapter: string; readonly memory?: number | undefined },
): Promise<Session> {
  const made = await createDevice({ adapter });
  const { device, capabilities } = made;
  const { context, store, notes } = await openContext(made);
  let model: Model;
  let fit: MemoryFit;
  try {
    model = await prepare(context);
    fit = await fitMemory(context, model, asked, limit);
  } catch (error) {
    await device.queue.onSubmittedWorkDone().catch(() => {}); // see close
    context.dispose();
    device.destroy();
    throw error;
  }
  const { networks, options } = fit;
  return {
    networks,
    options,
    adapter: nameOf(capabilities),
    notes: [...notes, ...memoryNotes(fit, capabilities)],
    memory: fit.plan,
    tune: (work) => {
      const { precision, tile, tileBatch, compact } = options;
      const what = { precision, tile, tileBatch, compact };
      return tuneAndKeep(context, model, { ...what, ...work, store, run: tuneInBackground });
    },
    async close() {
      // After an interruption work is still under way. Destroying a device waits for it and blocks
      // the process meanwhile, so wait here, where the signal's deadline (main.ts) can cut in.
      await device.queue.onSubmittedWorkDone().catch(() => {});
      networks.dispose();
      context.dispose();
      device.destroy();
    },
  };
}

/** Models that come near a device's limits; others need not name them. */
const LARGE = 1e9;

/** A software adapter's memory is the host's, and the host can say how much it has left. */
function memoryNotes({ plan, changes }: MemoryFit, { family, limits }: Capabilities): string[] {
  const parts = {
    weights: plan.weightBytes,
    activations: plan.slotBytes,
    'between networks': plan.betweenBytes,
    staging: plan.stagingBytes,
  };
  const listed = Object.entries(parts).map(([what, bytes]) => `${what} ${humanBytes(bytes)}`);
  const notes = [`memory: ${humanBytes(plan.peakBytes)} at most (${listed.join(', ')})`];
  if (plan.peakBytes > LARGE) {
    notes.push(
      `largest buffer ${humanBytes(plan.largestBufferBytes)}, the device allows ${humanBytes(limits.maxBufferSize)}; ` +
        `largest binding ${humanBytes(plan.largestBindingBytes)}, it allows ${humanBytes(limits.maxStorageBufferBindingSize)}`,
    );
  }
  if (changes.length > 0) notes.push(`to stay within --memory: ${changes.join(', ')}`);
  const free = process.availableMemory();
  if (family === 'cpu' && plan.peakBytes > free) {
    notes.push(
      `this machine has ${humanBytes(free)} of memory left: expect swapping, or use --low-memory or a smaller --tile`,
    );
  }
  return notes;
}
