/** Parts of the result that are sharp, once more with another seed; and the last of them as it was before. */
import type { Region } from '../../src/index.ts';
import type { Copy } from '../engine/sheets.ts';
import * as app from '../state/app.ts';
import { runsOf } from '../state/cut.ts';
import { newSeed } from '../state/options.ts';
import { execute } from './execution.ts';
import { inTurn } from './in-turn.ts';

/** What lay where the last one is. */
let undoable: Copy | null = null;
/** The last one last. All of them are sharp: what they lie in is, and stays. */
let tried: readonly Region[] = [];

/** Parts that were tried again: what is made later leaves them as they are. */
export const triedParts = (): readonly Region[] => tried;

/** They are gone, and nothing can be undone. */
export function forgetTries(): void {
  tried = [];
  dropUndo();
}

function dropUndo(): void {
  undoable?.destroy();
  undoable = null;
  app.canUndo.value = false;
}

/** @param region sharp, all of it */
export async function tryAgain(region: Region): Promise<void> {
  const seed = newSeed();
  await execute('part', async (request, session, { size, sheets }) => {
    const before = await sheets.copy(region, request.signal);
    const again = { ...request, options: { ...request.options, seed } };
    const parts = runsOf(region, size, session.room, again.options);
    try {
      await inTurn(again, parts, (part, own) => session.sharpenPart(own, part, region));
    } catch (error) {
      before.restore();
      before.destroy();
      throw error;
    }
    dropUndo();
    undoable = before;
    tried = [...tried, region];
    app.canUndo.value = true;
    app.say('The part was made again');
  });
}

/** The last part as it was before. Not while another try is on: that puts back what it found, should it be stopped. */
export function undo(): void {
  if (!undoable || app.isTrying.value) return;
  undoable.restore();
  tried = tried.slice(0, -1);
  dropUndo();
  app.changes.value++;
  app.say('Undone');
}
