/**
 * Large photos on the page of demo/, without its interface: what parts.test.ts calls from outside as
 * `window.parts`. The room for pictures is small, so that a small photo has many sheets and runs.
 */
import { currentSession, setSession } from '../../demo/actions/current-session.ts';
import { cancel } from '../../demo/actions/execution.ts';
import { choose } from '../../demo/actions/model-choice.ts';
import { open as openPhoto } from '../../demo/actions/photo.ts';
import { makeSelection, sharpen } from '../../demo/actions/runs.ts';
import { undo } from '../../demo/actions/tries.ts';
import { Session } from '../../demo/engine/session.ts';
import { createComposer, readable } from '../../demo/picture/compose.ts';
import { createFile, fileSize, piecesOf } from '../../demo/picture/encode.ts';
import * as app from '../../demo/state/app.ts';
import type { Room } from '../../demo/state/cut.ts';
import { change } from '../../demo/state/options.ts';
import { type Size, whole } from '../../demo/state/regions.ts';
import { CheckpointError, type Folder, InvSR, type Region } from '../../src/index.ts';
import { apart } from './page-pictures.ts';
import { servedFolder } from './page.ts';
import type { ServedModel } from './site.ts';

declare global {
  interface Window {
    parts: typeof parts;
  }
}

const SIZE = { width: 48, height: 16 };
/** More than one piece of a PNG across and down, of an odd size. */
const LARGE = { width: 301, height: 275 };
const REGION = { x: 3, y: 1, width: 297, height: 271 };
/** Runs of 16 squared, four tiles each: no photo is small enough to be made at once. */
const RUNS = { runPixels: 1, runSide: 64 };
/** Sheets of 12 squared and an apron of 8: borders of sheets and runs lie in different places. */
const ROOM = { ...RUNS, sheetSide: 112 };

/** @param hole its left half is clear, 119 of 255 are left of its right half */
async function open(
  room: Partial<Room>,
  model: ServedModel,
  { size = SIZE, hole }: { readonly size?: Size; readonly hole?: Region } = {},
): Promise<Session> {
  currentSession()?.dispose();
  const session = await Session.open(room);
  setSession(session);
  use(model, 'tiny');
  change({ tile: 16, seed: 5 });
  const canvas = new OffscreenCanvas(size.width, size.height);
  const context = canvas.getContext('2d')!;
  for (let x = 0; x < size.width; x += 4) {
    context.fillStyle = `hsl(${3 * x} 60% ${30 + (x % 12) * 3}%)`;
    context.fillRect(x, 0, 4, size.height);
  }
  if (hole) {
    const { x, y, width, height } = hole;
    const half = width / 2;
    context.clearRect(x, y, half, height);
    context.globalCompositeOperation = 'destination-out';
    context.fillStyle = '#0008';
    context.fillRect(x + half, y, half, height);
  }
  await openPhoto(canvas.convertToBlob(), 'stripes.png');
  app.visible.value = whole(size);
  return session;
}

const use = (model: ServedModel, id: string): void =>
  choose(app.NANO, { id, open: async () => servedFolder(model) });

function sharpenView(visible: Region): Promise<void> {
  app.visible.value = visible;
  app.followsView.value = true;
  return sharpen();
}

/** What is sharp of a region. */
function pixels(region: Region = whole(SIZE)): Uint8ClampedArray {
  const canvas = new OffscreenCanvas(4 * region.width, 4 * region.height);
  const context = canvas.getContext('2d')!;
  const parts = currentSession()!.surface!.sheets.reader()(region);
  for (const { bitmap, region: held, shows } of parts) {
    const [x, y] = [4 * (shows.x - held.x), 4 * (shows.y - held.y)];
    const [width, height] = [4 * shows.width, 4 * shows.height];
    const [left, top] = [4 * (shows.x - region.x), 4 * (shows.y - region.y)];
    context.drawImage(bitmap, x, y, width, height, left, top, width, height);
  }
  return context.getImageData(0, 0, canvas.width, canvas.height).data;
}

/** A picture of its own: three parts that fade into each other, in one texture each; in LARGE over the borders of pieces. */
function pasteThree(session: Session, left = 0): void {
  const { device, surface } = session;
  for (const [i, x] of [left, left + 13, left + 27].entries()) {
    const region = { x, y: 250 * Math.sign(left), width: 21, height: SIZE.height };
    const size: [number, number] = [4 * region.width, 4 * region.height];
    const texture = device.createTexture({
      size,
      format: 'rgba8unorm',
      usage: GPUTextureUsage.TEXTURE_BINDING | GPUTextureUsage.COPY_DST,
    });
    const bytes = Uint8Array.from({ length: 4 * size[0] * size[1] }, (_, at) =>
      at % 4 === 3 ? 255 : (at * (7 + i) + (at >> 8)) & 255,
    );
    device.queue.writeTexture({ texture }, bytes, { bytesPerRow: 4 * size[0] }, size);
    surface!.sheets.paste(texture, region, 4);
  }
}

const parts = {
  /** The same parts in many sheets and in one: largest difference, of all and of a region. */
  async sheets(model: ServedModel) {
    const made: Uint8ClampedArray[] = [];
    const [x, y, width, height] = [20, 5, 9, 7];
    for (const room of [{ ...RUNS, sheetSide: 4096 }, ROOM]) {
      const session = await open(room, model);
      const { sheets } = session.surface!;
      await sheets.reserve(whole(SIZE), new AbortController().signal);
      pasteThree(session);
      made.push(pixels(), pixels({ x, y, width, height }));
    }
    const [one = made[0]!, oneRegion, many = one, region] = made;
    const count = currentSession()?.surface?.sheets.parts.length;
    const row = (i: number) => one.slice(16 * ((4 * y + i) * SIZE.width + x)).slice(0, 16 * width);
    const cut = Uint8ClampedArray.from(
      Array.from({ length: 4 * height }, (_, i) => [...row(i)]).flat(),
    );
    return {
      count,
      apart: apart(one, many),
      cut: apart(cut, region!),
      both: apart(cut, oneRegion!),
    };
  },

  /** A PNG in several pieces, and all of it drawn at once; and what becomes of one while the result changes. */
  async saved(model: ServedModel, scale: 2 | 4, hole?: Region) {
    const room = { ...RUNS, sheetSide: 4096 };
    const session = await open(room, model, { size: LARGE, ...(hole && { hole }) });
    const { sheets } = session.surface!;
    await sheets.reserve(whole(LARGE), new AbortController().signal);
    pasteThree(session, 229);
    const how = { region: REGION, scale, format: 'png', quality: 100, metadata: true } as const;
    const { bitmap: photo, metadata } = app.picture.value!;
    const file = createFile({ photo, metadata, settings: {}, how });
    const read = sheets.reader();
    for (const piece of piecesOf(how)) {
      await file.begin(piece);
      for (const part of read(piece)) file.draw(part);
    }
    const size = fileSize(how);
    const seen = readable(size);
    seen.drawImage(await createImageBitmap(await file.finish()), 0, 0);

    const atOnce = createComposer(readable(size), photo, scale);
    atOnce.begin(REGION);
    for (const part of read(REGION)) atOnce.draw(part);
    const own = createComposer(readable(size), photo, scale);
    own.begin(REGION);
    const [alpha, ownAlpha] = [seen, own.context].map((context) =>
      context.getImageData(0, 0, size.width, size.height).data.filter((_, at) => at % 4 === 3),
    );
    // Not as they are: of what is all but transparent a file has no colour that counts.
    const [got, expected] = [seen, atOnce.context].map((context) => {
      context.globalCompositeOperation = 'destination-over';
      context.fillStyle = '#f0f';
      context.fillRect(0, 0, size.width, size.height);
      return context.getImageData(0, 0, size.width, size.height).data;
    });
    const late = read(REGION);
    pasteThree(session, 229);
    let changed = 'none';
    try {
      late.next().value?.bitmap.close();
    } catch (error) {
      changed = (error as Error).name;
    }
    const pieces = piecesOf(how).length;
    const alphas = [0, 119, 255].map((value) => alpha!.includes(value));
    const alphaApart = apart(alpha!, ownAlpha!);
    return { pieces, alphas, alphaApart, apart: apart(got!, expected!), changed };
  },

  /** One life: stopped, out of memory, the rest, a part again, as before, another model. */
  async runs(model: ServedModel) {
    const session = await open(ROOM, model);
    const { sheets } = session.surface!;
    const order: (readonly number[])[] = [];
    let atStep: (index: number) => void = () => {};
    const stop = app.step.subscribe((step) => {
      if (step) {
        order.push([app.underWay.value[0]!.x, step.index, step.count]);
        atStep(step.index);
      }
    });
    const state = () => ({ isWhole: app.result.value?.isWhole, said: app.notice.value?.text });

    atStep = (index) => index === 1 && cancel();
    await sharpen();
    const stopped = state();
    const { bytes } = sheets;

    atStep = () =>
      Object.defineProperty(session.device, 'popErrorScope', {
        configurable: true,
        value: async () => new GPUOutOfMemoryError('none left'),
      });
    await sharpen();
    Reflect.deleteProperty(session.device, 'popErrorScope');
    const noMemory = { ...state(), bytes: sheets.bytes - bytes };

    atStep = () => {};
    await sharpen();
    stop();
    const rest = state();
    const before = pixels();
    const opaque = before.every((value, i) => i % 4 !== 3 || value === 255);

    app.selection.value = { x: 9, y: 3, width: 16, height: 10 };
    await makeSelection();
    const changed = apart(before, pixels());
    undo();
    const undone = apart(before, pixels());

    use(model, 'another');
    await sharpenView({ x: 40, y: 8, width: 8, height: 8 });
    const hasOld = sheets.parts.some(({ region }) => region.x === 0);
    const shown = app.images.value?.parts.length === sheets.parts.length;
    return { order, stopped, noMemory, rest, opaque, changed, undone, hasOld, shown };
  },

  /** Stopped between a first paste and its end; then another model elsewhere: is anything left of the first? */
  async stoppedLate(model: ServedModel) {
    const session = await open(ROOM, model);
    const { sheets } = session.surface!;
    const { queue } = session.device;
    const done = queue.onSubmittedWorkDone.bind(queue);
    queue.onSubmittedWorkDone = () => {
      if (sheets.parts.length > 0) cancel();
      return done();
    };
    await sharpenView({ x: 0, y: 0, width: 8, height: 8 });
    Reflect.deleteProperty(queue, 'onSubmittedWorkDone');
    const hadParts = sheets.parts.length > 0;
    const { value: result } = app.result;

    use(model, 'another');
    await sharpenView({ x: 40, y: 8, width: 8, height: 8 });
    const hasOld = sheets.parts.some(({ region }) => region.x === 0);
    return { hadParts, result, hasNew: sheets.parts.length > 0, hasOld };
  },

  /** A model whose files were replaced while it was in use: what is said, and how often it is opened in two runs. */
  async replaced(model: ServedModel) {
    await open(ROOM, model);
    let opened = 0;
    const openAgain = async (): Promise<Folder> => {
      opened++;
      return servedFolder(model);
    };
    choose(app.NANO, { id: 'kept', open: openAgain });
    // oxlint-disable-next-line typescript/unbound-method -- put back
    const { upscale } = InvSR.prototype;
    const stub = async (): Promise<void> => {
      if (opened === 1) throw new CheckpointError('gone');
    };
    Object.assign(InvSR.prototype, { upscale: stub });
    const said: (string | undefined)[] = [];
    for (let run = 0; run < 2; run++) {
      await sharpenView({ x: 0, y: 0, width: 8, height: 8 });
      said.push(app.notice.value?.text);
    }
    InvSR.prototype.upscale = upscale;
    return { opened, said };
  },
};
window.parts = parts;
