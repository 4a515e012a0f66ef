/** Runs: all of the photo, what is looked at, or a part once more. */
import type { Progress, Region } from '../../src/index.ts';
import type { RunRequest, Session } from '../engine/session.ts';
import type { Copy } from '../engine/sheets.ts';
import * as app from '../state/app.ts';
import { runsOf } from '../state/cut.ts';
import { type Look, sameLook } from '../state/look.ts';
import { change, newSeed, options } from '../state/options.ts';
import { durationInWords } from '../state/progress.ts';
import { areaOf, missing, nearestFirst, sameRegion, type Size, whole } from '../state/regions.ts';
import { currentSession } from './current-session.ts';
import { execute, lookUnderWay, show } from './execution.ts';
import { currentLook } from './model-choice.ts';

/** Parts of the result that are sharp, all of them made as `look` says. */
let sharp: readonly Region[] = [];
/** Set before the first part is there: a run that is stopped may leave something of it. */
let look: Look | null = null;
let undoable: Copy | null = null;
/** What is being made for the view, and what was sharp before. */
let view: { readonly wanted: Region; readonly before: readonly Region[] } | null = null;

/** Nothing is sharp any more, and nothing can be undone. */
export function forget(): void {
  sharp = [];
  look = null;
  undoable?.destroy();
  undoable = null;
  app.canUndo.value = false;
}

/** What the main button does: all of the photo, or what is looked at. */
export async function sharpen(): Promise<void> {
  if (app.followsView.value) await sharpenView();
  else if (app.fit.value === 'whole') await sharpenAtOnce();
  else await sharpenRest();
}

async function sharpenAtOnce(): Promise<void> {
  await execute('whole', async (request, session, { size }) => {
    const startedAt = performance.now();
    await session.sharpenAtOnce(request);
    forget();
    finished(request, whole(size), { size, startedAt });
    sayDone(startedAt);
  });
}

/** All of a photo that cannot be made at once, from where the person looks outwards; all anew where all is sharp. */
async function sharpenRest(): Promise<void> {
  const size = currentSession()?.surface?.size;
  if (!size) return;
  const all = whole(size);
  if (isOtherLook() || !missing(all, sharp)) startOver();
  const looked = app.visible.value ?? all;
  await execute('whole', async (request, session) => {
    const startedAt = performance.now();
    const runs = nearestFirst(runsOf(all, size, session.room, request.options), looked);
    await sharpenRuns(request, session, { runs, size });
    sayDone(startedAt);
  });
}

/** What is looked at, where it is not sharp yet. */
export async function sharpenView(): Promise<void> {
  const { value: visible } = app.visible;
  const size = currentSession()?.surface?.size;
  if (!visible || !size) return;
  if (isOtherLook()) startOver();
  const wanted = missing(visible, sharp);
  if (!wanted || isUnderWay(visible)) return;
  const mine = { wanted, before: sharp };
  view = mine;
  await execute('view', async (request, session) => {
    const runs = nearestFirst(runsOf(wanted, size, session.room, request.options), visible);
    await sharpenRuns(request, session, { runs, size });
    app.say('This part is sharp');
  });
  if (view === mine) view = null;
}

/** Whether just that is being made, with the look that is chosen now. */
function isUnderWay(visible: Region): boolean {
  const underWay = lookUnderWay();
  if (!underWay || !view) return false;
  const wanted = missing(visible, view.before);
  return wanted !== null && sameRegion(wanted, view.wanted) && sameLook(underWay, currentLook());
}

/** What of the runs is not sharp yet, one after another; each stays, whatever becomes of the next. */
async function sharpenRuns(
  request: RunRequest,
  session: Session,
  { runs, size }: { readonly runs: readonly Region[]; readonly size: Size },
): Promise<void> {
  const startedAt = performance.now();
  look ??= lookOf(request);
  const parts = runs.flatMap((run) => missing(run, sharp) ?? []);
  await eachInTurn(request, parts, async (part, own) => {
    await session.sharpenPart(own, part, whole(size));
    finished(request, part, { size, startedAt });
  });
}

/** Shares the progress among parts, by their areas. */
async function eachInTurn(
  request: RunRequest,
  parts: readonly Region[],
  work: (part: Region, request: RunRequest) => Promise<void>,
): Promise<void> {
  const total = parts.reduce((sum, part) => sum + areaOf(part), 0);
  let before = 0;
  for (const [index, part] of parts.entries()) {
    app.underWay.value = [part];
    if (parts.length > 1) app.step.value = { index, count: parts.length };
    const area = areaOf(part);
    const begun = before;
    const onProgress = (progress: Progress): void => {
      if (progress.phase !== 'run' || parts.length === 1) return request.onProgress(progress);
      const done = begun + (area * progress.done) / Math.max(1, progress.total);
      request.onProgress({ phase: 'run', done, total });
    };
    await work(part, { ...request, onProgress });
    before += area;
  }
}

/** The selected part with another seed. */
export async function reroll(): Promise<void> {
  const { value: region } = app.selection;
  if (!region) return;
  const seed = newSeed();
  await execute('part', async (request, session, { size, sheets }) => {
    const before = await sheets.copy(region, request.signal);
    const again = { ...request, options: { ...request.options, seed } };
    const parts = runsOf(region, size, session.room, again.options);
    try {
      await eachInTurn(again, parts, (part, own) => session.sharpenPart(own, part, region));
    } catch (error) {
      before.restore();
      before.destroy();
      throw error;
    }
    undoable?.destroy();
    undoable = before;
    app.canUndo.value = true;
    look ??= lookOf(request);
    app.result.value ??= resultOf(request, false, 0);
    app.say('The part was made again');
  });
}

/** The last part as it was before. */
export function undo(): void {
  if (!undoable) return;
  undoable.restore();
  undoable.destroy();
  undoable = null;
  app.canUndo.value = false;
  app.changes.value++;
  app.say('Undone');
}

/** Everything that was sharp is so no more. */
function startOver(): void {
  const surface = currentSession()?.surface;
  if (!surface) return;
  forget();
  app.result.value = null;
  show(surface, []);
  surface.sheets.clear();
}

/** What is sharp, or left of a run that was stopped, was made with another model or other options. */
const isOtherLook = (): boolean => look !== null && !sameLook(look, currentLook());

/** Another model or other options while a part is being made for the view: it is made with those. False where none is. */
export function makeViewAnew(): boolean {
  const { value: run } = app.run;
  if (!app.followsView.value || run.kind === 'idle' || run.aim !== 'view') return false;
  void sharpenView();
  return true;
}

let changing = 0;
options.subscribe(() => {
  clearTimeout(changing);
  changing = window.setTimeout(makeViewAnew, 250);
});

/** A part is sharp, and can be saved. */
function finished(
  request: RunRequest,
  part: Region,
  { size, startedAt }: { readonly size: Size; readonly startedAt: number },
): void {
  sharp = [...sharp, part];
  look = lookOf(request);
  const isWhole = missing(whole(size), sharp) === null;
  app.result.value = resultOf(request, isWhole, performance.now() - startedAt);
}

const sayDone = (startedAt: number): void =>
  app.say(`Done in ${durationInWords(performance.now() - startedAt)}`);

const lookOf = ({ model, options: of }: RunRequest): Look => ({ model: model.id, options: of });

const resultOf = (
  { options: of }: RunRequest,
  isWhole: boolean,
  milliseconds: number,
): app.Result => ({ isWhole, options: of, model: app.model.value.name, milliseconds });

export const rollSeed = (): void => change({ seed: newSeed() });
