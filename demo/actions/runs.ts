/** Runs: all of the photo, what is looked at, or a part once more. */
import type { Region } from '../../src/index.ts';
import * as app from '../state/app.ts';
import { change, newSeed, type Options, options } from '../state/options.ts';
import { durationInWords } from '../state/progress.ts';
import { clip, missing, sameRegion, whole } from '../state/regions.ts';
import { currentSession } from './current-session.ts';
import { execute, optionsUnderWay, show } from './execution.ts';

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
  const underWay = optionsUnderWay();
  return (
    underWay !== undefined &&
    part !== undefined &&
    sameRegion(part, wanted) &&
    sameLook(underWay, options.value)
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
