/** The photo: opened, put on the device. */
import type { Session } from '../engine/session.ts';
import { NoRoomError } from '../engine/texture.ts';
import { explain } from '../explain.ts';
import { openPicture, type Picture } from '../picture/open.ts';
import * as app from '../state/app.ts';
import { fitOf } from '../state/cut.ts';
import { currentSession } from './current-session.ts';
import { cancel, ended } from './execution.ts';
import { prepare } from './memory.ts';
import { forget, sharpen } from './runs.ts';

/** Counts photos asked for: the last one wins, whichever is decoded first. */
let asked = 0;

/** True where it is the photo now. */
export async function open(file: Blob | Promise<Blob>, name: string): Promise<boolean> {
  asked++;
  const turn = asked;
  try {
    const picture = await openPicture(await file, name);
    if (turn !== asked) {
      picture.bitmap.close();
      return false;
    }
    app.picture.value?.bitmap.close();
    adopt(picture);
    return true;
  } catch (error) {
    if (turn === asked) app.notice.value = explain(error);
    return false;
  }
}

/** One of our own pictures, sharpened as soon as there is a device. */
export async function openSample(file: string): Promise<void> {
  const bytes = fetch(new URL(`samples/${file}`, document.baseURI)).then((answer) => answer.blob());
  if (!(await open(bytes, file))) return;
  app.sample.value = app.picture.value;
  const turn = asked;
  await deviceSettled();
  if (turn === asked) await sharpen();
}

/** The first screen is there before the device is. */
const deviceSettled = (): Promise<void> =>
  new Promise((resolve) => {
    const stop = app.device.subscribe(({ kind }) => {
      if (kind === 'starting') return;
      resolve();
      queueMicrotask(() => stop()); // the first call comes before `stop` is there
    });
  });

function adopt(picture: Picture): void {
  cancel();
  app.picture.value = picture;
  app.notice.value = null;
  app.followsView.value = false;
  app.say(`${picture.name}, ${picture.width} by ${picture.height} pixels`);
  showPicture();
}

/** Uploads the photo; nothing is sharp yet. */
export function showPicture(): void {
  const session = currentSession();
  const { value: picture } = app.picture;
  forget();
  app.result.value = null;
  app.selection.value = null;
  app.images.value = null;
  app.plannedBytes.value = null;
  if (!session || !picture) return;
  app.fit.value = fitOf(picture, session.room);
  if (app.fit.value === 'none') {
    giveUp(
      session,
      `“${picture.name}” has ${picture.width} × ${picture.height} pixels; this graphics card shows up to ${session.room.textureSide} a side. Make it smaller first.`,
    );
    return;
  }
  const surface = session.show(picture.bitmap);
  app.images.value = { before: surface.before, parts: [] };
  surface.ready.catch((error: unknown) => {
    // A lost device is told, and the photo uploaded again, where it is asked for anew.
    if (session.surface === surface && error instanceof NoRoomError) giveUp(session, error.message);
  });
  void prepare(ended());
}

/** The photo cannot be shown. */
function giveUp(session: Session, text: string): void {
  cancel();
  app.images.value = null;
  session.clear();
  app.picture.value?.bitmap.close();
  app.picture.value = null;
  app.memoryBytes.value = session.memoryBytes;
  app.notice.value = { kind: 'problem', text };
}
