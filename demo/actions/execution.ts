/**
 * One piece of work at a time, with progress: a new one takes the place of the one under way. Whatever
 * goes wrong ends as one sentence in `notice`, and the page stays usable.
 */
import { DeviceLostError } from '../../src/index.ts';
import type { RunRequest } from '../engine/session.ts';
import type { Surface } from '../engine/surface.ts';
import { explain } from '../explain.ts';
import * as app from '../state/app.ts';
import { type Options, options } from '../state/options.ts';
import { advance, announcementOf, beginPace, fractionOf } from '../state/progress.ts';
import { currentSession } from './current-session.ts';
import { planMemory, stopPreparing } from './memory.ts';
import { chosenModel } from './model-choice.ts';

interface Current {
  readonly controller: AbortController;
  readonly ended: Promise<void>;
  readonly options: Options;
}

let current: Current | null = null;
/** A lost device has ended a run; its recovery tells. */
let wasInterrupted = false;

/** The options of the work under way; undefined where there is none, or it is being stopped. */
export const optionsUnderWay = (): Options | undefined =>
  current?.controller.signal.aborted ? undefined : current?.options;

export function cancel(): void {
  current?.controller.abort();
}

/** Resolves when the run under way has ended; undefined where there is none. */
export const ended = (): Promise<void> | undefined => current?.ended;

/** Ends what is under way, on a device that was lost; true where there was something. */
export async function stop(): Promise<boolean> {
  stopPreparing();
  cancel();
  const wasRunning = current !== null || wasInterrupted;
  await current?.ended;
  wasInterrupted = false;
  return wasRunning;
}

/** A run that was stopped for another photo ends after that photo is there: its textures are gone. */
export function show(surface: Surface, after: GPUTexture | undefined): void {
  if (currentSession()?.surface === surface) app.images.value = { before: surface.before, after };
}

/** Runs one piece of work with progress, after the one under way has ended. */
export async function execute(
  aim: app.Aim,
  work: (request: RunRequest, at: { readonly surface: Surface }) => Promise<void>,
): Promise<void> {
  const controller = new AbortController();
  const previous = current;
  previous?.controller.abort();
  const { promise: ended, resolve } = withResolvers();
  const { value: asked } = options;
  current = { controller, ended, options: asked };
  // The run does the same, and tells how far it is.
  stopPreparing();
  await previous?.ended;
  try {
    const surface = currentSession()?.surface;
    if (!surface || controller.signal.aborted) return;
    app.notice.value = null;
    app.run.value = { kind: 'preparing', aim, fraction: 0 };
    await work(requestOf(aim, asked, controller.signal), { surface });
    if (surface.after) show(surface, surface.after);
  } catch (error) {
    if (controller.signal.aborted) app.say('Stopped');
    else if (error instanceof DeviceLostError) wasInterrupted = true;
    else app.notice.value = explain(error);
  } finally {
    app.run.value = { kind: 'idle' };
    app.underWay.value = [];
    app.changes.value++;
    app.memoryBytes.value = currentSession()?.memoryBytes ?? null;
    void planMemory();
    if (current?.ended === ended) current = null;
    resolve();
  }
}

function requestOf(aim: app.Aim, of: Options, signal: AbortSignal): RunRequest {
  return {
    model: chosenModel(),
    options: of,
    signal,
    onProgress(progress) {
      if (signal.aborted) return;
      const state = app.run.value;
      if (progress.phase === 'run') {
        const now = performance.now();
        const pace = state.kind === 'running' ? state.pace : beginPace(progress.total, now);
        const next = advance(pace, progress, now);
        const heard = announcementOf(fractionOf(pace), fractionOf(next));
        if (heard !== undefined) app.say(heard);
        app.run.value = { kind: 'running', aim, pace: next };
      } else if (state.kind !== 'running') {
        const part =
          progress.phase === 'download'
            ? progress.loadedBytes / Math.max(1, progress.totalBytes)
            : progress.done / Math.max(1, progress.total);
        app.run.value = { kind: 'preparing', aim, fraction: part };
      }
    },
    onTile: () => app.changes.value++,
  };
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
