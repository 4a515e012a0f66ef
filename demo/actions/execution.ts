/**
 * One piece of work at a time, with progress: a new one takes the place of the one under way. Whatever
 * goes wrong ends as one sentence in `notice`, and the page stays usable.
 */
import { DeviceLostError } from '../../src/index.ts';
import type { RunRequest, Session } from '../engine/session.ts';
import type { Surface } from '../engine/surface.ts';
import { explain } from '../explain.ts';
import * as app from '../state/app.ts';
import type { Look } from '../state/look.ts';
import { options } from '../state/options.ts';
import { advance, announcementOf, beginPace, fractionOf } from '../state/progress.ts';
import type { Part } from '../viewer/types.ts';
import { currentSession } from './current-session.ts';
import { planMemory, stopPreparing } from './memory.ts';
import { chosenModel, currentLook } from './model-choice.ts';

interface Current {
  readonly controller: AbortController;
  readonly ended: Promise<void>;
  readonly look: Look;
}

let current: Current | null = null;
/** A lost device has ended a run; its recovery tells. */
let wasInterrupted = false;

/** What the work under way looks like; undefined where there is none, or it is being stopped. */
export const lookUnderWay = (): Look | undefined =>
  current?.controller.signal.aborted ? undefined : current?.look;

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
export function show(surface: Surface, parts: readonly Part[]): void {
  if (currentSession()?.surface === surface) app.images.value = { before: surface.before, parts };
}

/** Runs one piece of work with progress, after the one under way has ended. */
export async function execute(
  aim: app.Aim,
  work: (request: RunRequest, session: Session, surface: Surface) => Promise<void>,
): Promise<void> {
  const controller = new AbortController();
  const previous = current;
  previous?.controller.abort();
  const { promise: ended, resolve } = withResolvers();
  const request = requestOf(aim, controller.signal);
  current = { controller, ended, look: currentLook() };
  // The run does the same, and tells how far it is.
  stopPreparing();
  await previous?.ended;
  const changes = app.changes.peek();
  try {
    const session = currentSession();
    const surface = session?.surface;
    if (!session || !surface || controller.signal.aborted) return;
    // Runs for the view begin by themselves, perhaps before good news was read.
    if (app.notice.value?.kind === 'problem') app.notice.value = null;
    app.run.value = { kind: 'preparing', aim, fraction: 0 };
    const onParts = (parts: readonly Part[]): void => show(surface, parts);
    await work({ ...request, onParts }, session, surface);
  } catch (error) {
    if (controller.signal.aborted) app.say('Stopped');
    else if (error instanceof DeviceLostError) wasInterrupted = true;
    else app.notice.value = explain(error);
  } finally {
    app.run.value = { kind: 'idle' };
    app.underWay.value = [];
    app.step.value = null;
    // What had its tiles was pasted, or put back, after them.
    if (app.changes.peek() !== changes) app.changes.value++;
    app.memoryBytes.value = currentSession()?.memoryBytes ?? null;
    void planMemory();
    if (current?.ended === ended) current = null;
    resolve();
  }
}

/** With what is chosen now. */
function requestOf(aim: app.Aim, signal: AbortSignal): Omit<RunRequest, 'onParts'> {
  return {
    model: chosenModel(),
    options: options.value,
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
