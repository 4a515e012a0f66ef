/**
 * Runs: all of the photo, what is looked at, or a part once more. A new run takes the place of the one
 * under way. Whatever goes wrong ends as one sentence in `notice`, and the page stays usable.
 */
import { DeviceLostError, type Region } from '../../src/index.ts';
import { fetchFolder } from '../../src/browser.ts';
import type { ModelRequest, RunRequest, Session } from '../engine/session.ts';
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

const NANO_REQUEST: ModelRequest = {
  id: 'nano',
  open: (signal, onProgress) =>
    fetchFolder(new URL('weights/invsr-nano/', document.baseURI), { signal, onProgress }),
};

let session: Session | null = null;
let current: { readonly controller: AbortController; readonly ended: Promise<void> } | null = null;
/** A lost device has ended a run; its recovery tells. */
let wasInterrupted = false;
let preparing: AbortController | null = null;
let modelRequest: ModelRequest = NANO_REQUEST;
/** Parts of `after` that are sharp, all with the options of the result. */
let sharp: readonly Region[] = [];
let undoable: { readonly region: Region; readonly texture: GPUTexture } | null = null;

/** The session; the stage needs its device. */
export const currentSession = (): Session | null => session;

export const setSession = (next: Session | null): void => {
  session = next;
};

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

/** Ends what is under way, on a device that was lost; true where there was something. */
export async function stop(): Promise<boolean> {
  preparing?.abort();
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
    await session?.sharpenWhole(request, (after) => show(surface, after));
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
  if (!visible || !picture || !session?.surface) return;
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
  const [underWay] = app.run.value.kind === 'idle' ? [] : app.underWay.value;
  if (!region || (underWay && sameRegion(underWay, wanted))) return;
  await execute('view', async (request) => {
    app.underWay.value = [wanted];
    const startedAt = performance.now();
    await session?.sharpenPart(request, region);
    sharp = [...sharp, wanted];
    const isWhole = missing(whole(picture), sharp) === null;
    app.result.value = resultOf(request.options, isWhole, performance.now() - startedAt);
    app.say('This part is sharp');
  });
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
      await session?.sharpenPart({ ...request, options: { ...request.options, seed } }, region);
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
  if (!undoable || !session?.surface) return;
  session.surface.restore(undoable.texture, undoable.region);
  undoable.texture.destroy();
  undoable = null;
  app.canUndo.value = false;
  app.changes.value++;
  app.say('Undone');
}

/** Everything that was sharp is so no more: the options are others. */
function startOver(): void {
  if (!session?.surface) return;
  forget();
  session.surface.replace(undefined);
  app.result.value = null;
  show(session.surface, undefined);
}

/** A run that was stopped for another photo ends after that photo is there: its textures are gone. */
function show(surface: Surface, after: GPUTexture | undefined): void {
  if (session?.surface === surface) app.images.value = { before: surface.before, after };
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
  current = { controller, ended };
  // The run does the same, and tells how far it is.
  preparing?.abort();
  await previous?.ended;
  try {
    const surface = session?.surface;
    if (!session || !surface || controller.signal.aborted) return;
    app.notice.value = null;
    app.run.value = { kind: 'preparing', aim, fraction: 0 };
    await work(requestOf(aim, controller.signal), { surface });
    if (surface.after) show(surface, surface.after);
  } catch (error) {
    if (controller.signal.aborted) app.say('Stopped');
    else if (error instanceof DeviceLostError) wasInterrupted = true;
    else app.notice.value = explain(error);
  } finally {
    app.run.value = { kind: 'idle' };
    app.underWay.value = [];
    app.changes.value++;
    app.memoryBytes.value = session?.memoryBytes ?? null;
    if (current?.ended === ended) current = null;
    resolve();
  }
}

function requestOf(aim: app.Aim, signal: AbortSignal): RunRequest {
  return {
    model: modelRequest,
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

/** The model on the device ahead of the first run, so that its memory can be told. */
export async function prepare(): Promise<void> {
  const { value: picture } = app.picture;
  if (!session || !picture || current) return;
  preparing?.abort();
  preparing = new AbortController();
  const { signal } = preparing;
  try {
    await session.prepare({ ...requestOf('whole', signal), onProgress: () => {} });
    void planMemory();
    app.memoryBytes.value = session.memoryBytes;
  } catch (error) {
    if (signal.aborted || error instanceof DeviceLostError) return;
    app.notice.value = explain(error);
  }
}

/** What a run of the whole photo would take, as far as it can be told. */
async function planMemory(): Promise<void> {
  const asked = options.value;
  const bytes = await session?.plannedBytes(asked).catch(() => undefined); // the run itself says why
  if (asked === options.value) app.plannedBytes.value = bytes ?? null;
}

let planning = 0;
options.subscribe(() => {
  clearTimeout(planning);
  planning = window.setTimeout(() => void planMemory(), 250);
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

/** Another model from the next run on; the one under way is stopped. */
export function useModel(state: app.ModelState, request: ModelRequest): void {
  cancel();
  modelRequest = request;
  app.model.value = state;
  app.plannedBytes.value = null;
  void prepare();
}

export const useNano = (): void => useModel(app.NANO, NANO_REQUEST);

export const rollSeed = (): void => change({ seed: newSeed() });

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
