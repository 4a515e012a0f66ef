/**
 * Runs: all of the photo, what is looked at, or a part once more. A new run takes the place of the one
 * under way. Whatever goes wrong ends as one sentence in `notice`, and the page stays usable.
 */
import { DeviceLostError, type Region } from '../../src/index.ts';
import type { RunRequest } from '../engine/session.ts';
import type { Surface } from '../engine/surface.ts';
import { explain } from '../explain.ts';
import * as app from '../state/app.ts';
import { change, newSeed, type Options, options } from '../state/options.ts';
import {
  advance,
  announcementOf,
  beginPace,
  durationInWords,
  fractionOf,
} from '../state/progress.ts';
import { clip, missing, sameRegion, whole } from '../state/regions.ts';
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
/** Parts of `after` that are sharp, all with the options of the result. */
let sharp: readonly Region[] = [];
let undoable: { readonly region: Region; readonly texture: GPUTexture } | null = null;

/** Nothing is sharp any more, and nothing can be undone. */
export function forget(): void {
  sharp = [];
  undoable?.texture.destroy();
  undoable = null;
  app.canUndo.value = false;
}

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

/** What the main button does: all of the photo, or what is looked at. */
export async function sharpen(): Promise<void> {
  if (app.fit.value !== 'whole' || app.followsView.value) {
    app.followsView.value = true;
    await sharpenView();
    return;
  }
  await execute('whole', async (request, { surface }) => {
    const size = surface.size;
    const startedAt = performance.now();
    await currentSession()?.sharpenWhole(request, (after) => show(surface, after));
    forget();
    sharp = [whole(size)];
    const milliseconds = performance.now() - startedAt;
    app.result.value = resultOf(request.options, true, milliseconds);
    app.say(`Done in ${durationInWords(milliseconds)}`);
  });
}

/** What is looked at, where it is not sharp yet. */
export async function sharpenView(): Promise<void> {
  const { value: visible } = app.visible;
  const { value: picture } = app.picture;
  if (!visible || !picture || !currentSession()?.surface) return;
  if (app.result.value && !sameLook(app.result.value.options, options.value)) startOver();
  const wanted = missing(visible, sharp);
  if (!wanted) return;
  // A margin that fades into what is there already.
  const margin = 8;
  const region = clip(
    {
      x: wanted.x - margin,
      y: wanted.y - margin,
      width: wanted.width + 2 * margin,
      height: wanted.height + 2 * margin,
    },
    picture,
  );
  if (!region || isUnderWay(wanted)) return;
  await execute('view', async (request) => {
    app.underWay.value = [wanted];
    const startedAt = performance.now();
    await currentSession()?.sharpenPart(request, region);
    sharp = [...sharp, wanted];
    const isWhole = missing(whole(picture), sharp) === null;
    app.result.value = resultOf(request.options, isWhole, performance.now() - startedAt);
    app.say('This part is sharp');
  });
}

/** Whether just that is being made, with the options as they are now. */
function isUnderWay(wanted: Region): boolean {
  const [part] = app.underWay.value;
  return (
    current !== null &&
    !current.controller.signal.aborted &&
    part !== undefined &&
    sameRegion(part, wanted) &&
    sameLook(current.options, options.value)
  );
}

/** The selected part with another seed. */
export async function reroll(): Promise<void> {
  const { value: region } = app.selection;
  if (!region) return;
  const seed = newSeed();
  await execute('part', async (request, { surface }) => {
    app.underWay.value = [region];
    const before = surface.copy(region);
    try {
      const again = { ...request, options: { ...request.options, seed } };
      await currentSession()?.sharpenPart(again, region);
    } catch (error) {
      before.destroy();
      throw error;
    }
    undoable?.texture.destroy();
    undoable = { region, texture: before };
    app.canUndo.value = true;
    app.result.value ??= resultOf(request.options, false, 0);
    app.say('The part was made again');
  });
}

/** The last part as it was before. */
export function undo(): void {
  const surface = currentSession()?.surface;
  if (!undoable || !surface) return;
  surface.restore(undoable.texture, undoable.region);
  undoable.texture.destroy();
  undoable = null;
  app.canUndo.value = false;
  app.changes.value++;
  app.say('Undone');
}

/** Everything that was sharp is so no more: the options are others. */
function startOver(): void {
  const surface = currentSession()?.surface;
  if (!surface) return;
  forget();
  surface.replace(undefined);
  app.result.value = null;
  show(surface, undefined);
}

/** A run that was stopped for another photo ends after that photo is there: its textures are gone. */
function show(surface: Surface, after: GPUTexture | undefined): void {
  if (currentSession()?.surface === surface) app.images.value = { before: surface.before, after };
}

/** Runs one piece of work with progress, after the one under way has ended. */
async function execute(
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

/** Other options while a part is being made for the view: it is made with those. */
let changing = 0;
options.subscribe(() => {
  clearTimeout(changing);
  changing = window.setTimeout(() => {
    const { value: run } = app.run;
    if (app.followsView.value && run.kind !== 'idle' && run.aim === 'view') void sharpenView();
  }, 250);
});

const resultOf = (of: Options, isWhole: boolean, milliseconds: number): app.Result => ({
  isWhole,
  options: of,
  model: app.model.value.name,
  milliseconds,
});

/** Whether results of both belong side by side. */
const sameLook = (a: Options, b: Options): boolean =>
  a.steps === b.steps &&
  a.startTimestep === b.startTimestep &&
  a.seed === b.seed &&
  a.colorFix === b.colorFix &&
  a.tile === b.tile &&
  a.overlap === b.overlap;

export const rollSeed = (): void => change({ seed: newSeed() });

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
