/** Runs: all of the photo, what is looked at, or a part that is selected. */
import type { Region } from '../../src/index.ts';
import type { RunRequest, Session } from '../engine/session.ts';
import * as app from '../state/app.ts';
import { runsOf } from '../state/cut.ts';
import { type Look, sameLook } from '../state/look.ts';
import { change, newSeed, options } from '../state/options.ts';
import { durationInWords } from '../state/progress.ts';
import { missing, nearestFirst, outside, sameRegion, type Size, whole } from '../state/regions.ts';
import { currentSession } from './current-session.ts';
import { execute, lookUnderWay, show } from './execution.ts';
import { inTurn } from './in-turn.ts';
import { currentLook } from './model-choice.ts';
import { forgetTries, triedParts, tryAgain } from './tries.ts';

/**
 * How what is sharp was made, all of it but what was tried again. Set before the first part is there: a run
 * that is stopped may leave something of it.
 */
let look: Look | null = null;
/** What is being made for the view, and what was sharp before. */
let view: { readonly wanted: Region; readonly before: readonly Region[] } | null = null;

/** Nothing is sharp any more, and nothing can be undone. */
export function forget(): void {
  app.sharp.value = [];
  look = null;
  forgetTries();
}

/** What the main button does: all of the photo, or what is looked at. */
export async function sharpen(): Promise<void> {
  app.notice.value = null;
  if (app.followsView.value) await sharpenView();
  else if (app.fit.value === 'whole' && !hasTriesToKeep()) await sharpenAtOnce();
  else await sharpenRest();
}

/** Parts that were tried again lie in a result that goes on in its look. */
const hasTriesToKeep = (): boolean =>
  triedParts().length > 0 && app.result.value?.isWhole === false && !isOtherLook();

async function sharpenAtOnce(): Promise<void> {
  await execute('whole', async (request, session, { size }) => {
    const startedAt = performance.now();
    await session.sharpenAtOnce(request);
    forget();
    finished(request, whole(size), { size, startedAt });
    sayDone(startedAt);
  });
}

/**
 * What of the photo is not sharp, from where the person looks outwards. Where all is: all anew, over what is
 * there, so that a run that is stopped leaves a whole result.
 */
async function sharpenRest(): Promise<void> {
  const size = currentSession()?.surface?.size;
  if (!size) return;
  const all = whole(size);
  if (isOtherLook()) startOver();
  const isAnew = !missing(all, app.sharp.value);
  const looked = app.visible.value ?? all;
  await execute('whole', async (request, session) => {
    const startedAt = performance.now();
    const runs = nearestFirst(runsOf(all, size, session.room, request.options), looked);
    await sharpenParts(request, session, { parts: isAnew ? runs : unsharp(runs), size });
    if (isAnew) forgetTries();
    sayDone(startedAt);
  });
}

/**
 * The view has come to rest, or is followed from now on. What a person has made goes by a press only: a part
 * under way, and what is whole and has another look.
 */
export function followView(): void {
  if (!app.followsView.value || app.isTrying.value) return;
  if (app.result.value?.isWhole && isOtherLook()) return;
  void sharpenView();
}

/** What is looked at, where it is not sharp yet. */
async function sharpenView(): Promise<void> {
  const { value: visible } = app.visible;
  if (!visible || !currentSession()?.surface) return;
  if (isOtherLook()) startOver();
  const wanted = missing(visible, app.sharp.value);
  if (!wanted || isUnderWay(visible)) return;
  const mine = { wanted, before: app.sharp.value };
  view = mine;
  await sharpenRegion('view', wanted, visible);
  if (view === mine) view = null;
}

/** Whether just that is being made, with the look that is chosen now. */
function isUnderWay(visible: Region): boolean {
  const underWay = lookUnderWay();
  if (!underWay || !view) return false;
  const wanted = missing(visible, view.before);
  return wanted !== null && sameRegion(wanted, view.wanted) && sameLook(underWay, currentLook());
}

/** The part that is selected: once more with another seed where it is sharp, with the chosen one where it is not. */
export async function makeSelection(): Promise<void> {
  const { value: region } = app.selection;
  if (!region) return;
  app.notice.value = null;
  if (!missing(region, app.sharp.value)) return tryAgain(region);
  if (isOtherLook()) startOver();
  return sharpenRegion('part', region, region);
}

/** @param from begins there */
async function sharpenRegion(aim: app.Aim, region: Region, from: Region): Promise<void> {
  await execute(aim, async (request, session, { size }) => {
    const runs = nearestFirst(runsOf(region, size, session.room, request.options), from);
    await sharpenParts(request, session, { parts: unsharp(runs), size });
    app.say('This part is sharp');
  });
}

/** What of the runs is to be made: of each the rectangle around what is not sharp, without what was tried again. */
const unsharp = (runs: readonly Region[]): readonly Region[] =>
  runs.flatMap((run) => {
    const rest = missing(run, app.sharp.value);
    return rest ? outside(rest, triedParts()) : [];
  });

/** One after another; each stays, whatever becomes of the next. */
async function sharpenParts(
  request: RunRequest,
  session: Session,
  { parts, size }: { readonly parts: readonly Region[]; readonly size: Size },
): Promise<void> {
  const startedAt = performance.now();
  look ??= lookOf(request);
  await inTurn(request, parts, async (part, own) => {
    await session.sharpenPart(own, part, whole(size));
    finished(request, part, { size, startedAt });
  });
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

/** All of a region is sharp, and a run with what is chosen now would give the same. */
export const isDone = (region: Region): boolean =>
  !missing(region, app.sharp.value) && !isOtherLook();

/** Another model or other options while a part is being made for the view: it is made with those. False where none is. */
export function makeViewAnew(): boolean {
  const { value: run } = app.run;
  if (!app.followsView.value || run.kind === 'idle' || run.aim !== 'view') return false;
  void sharpenView();
  return true;
}

let changing: ReturnType<typeof setTimeout> | undefined;
options.subscribe(() => {
  clearTimeout(changing);
  changing = setTimeout(makeViewAnew, 250);
});

/** A part is sharp, and can be saved. */
function finished(
  request: RunRequest,
  part: Region,
  { size, startedAt }: { readonly size: Size; readonly startedAt: number },
): void {
  app.sharp.value = [...app.sharp.value, part];
  look = lookOf(request);
  app.result.value = {
    isWhole: missing(whole(size), app.sharp.value) === null,
    options: request.options,
    model: app.model.value.name,
    milliseconds: performance.now() - startedAt,
  };
}

const sayDone = (startedAt: number): void =>
  app.say(`Done in ${durationInWords(performance.now() - startedAt)}`);

const lookOf = ({ model, options: of }: RunRequest): Look => ({ model: model.id, options: of });

export const rollSeed = (): void => change({ seed: newSeed() });
