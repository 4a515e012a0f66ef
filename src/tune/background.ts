/**
 * Tuning beside the work that a person waits for. Every measurement waits for a quiet moment of the
 * context: nothing queued, and nothing having been for a while. What is measured then delays work
 * that comes meanwhile by one sample, a few milliseconds on a GPU.
 *
 * The plans at hand keep their designs; those found count from the next context on.
 */
import type { EngineContext } from '../engine/context.ts';
import type { ModelFacts } from '../invsr/tile-graph.ts';
import { tune, type TuneModelOptions } from './tune-model.ts';
import type { TuneResult } from './tune.ts';

export interface BackgroundOptions extends Omit<TuneModelOptions, 'pause'> {
  /** How long the context must have had nothing to do. @default 300 */
  readonly quietMs?: number;
  /**
   * Awaited besides, where others use the device: resolves when they would not mind, such as by
   * requestIdleCallback.
   */
  readonly whenIdle?: (() => Promise<void>) | undefined;
}

const LOOKS = 6;
const DEFAULT_MINUTES = 2;

/** As `tune`, at idle moments only; it waits for one as long as it takes. @default 2 minutes */
export function tuneInBackground(
  context: EngineContext,
  model: ModelFacts,
  { quietMs = 300, whenIdle, minutes = DEFAULT_MINUTES, ...options }: BackgroundOptions = {},
): Promise<TuneResult> {
  const quiet = quietGate(context, quietMs, options.signal);
  return tune(context, model, {
    ...options,
    minutes,
    pause: async () => {
      await quiet();
      await whenIdle?.();
    },
  });
}

/**
 * Resolves at once while nobody else has asked for anything, else when the context was seen with
 * nothing to do for `quietMs`. What came while a sample ran is still queued when the next one asks.
 */
export function quietGate(
  { exclusive, lost }: Pick<EngineContext, 'exclusive' | 'lost'>,
  quietMs: number,
  signal?: AbortSignal,
): () => Promise<void> {
  let isQuiet = false;
  return async () => {
    isQuiet &&= exclusive.pending === 0;
    let seen = 0;
    while (!isQuiet) {
      signal?.throwIfAborted();
      lost.throwIfAborted();
      await new Promise((resolve) => setTimeout(resolve, quietMs / LOOKS));
      seen = exclusive.pending > 0 ? 0 : seen + 1;
      isQuiet = seen === LOOKS;
    }
  };
}
