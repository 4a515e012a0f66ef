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
import * as app from '../../demo/state/app.ts';
import type { Room } from '../../demo/state/cut.ts';
import { change } from '../../demo/state/options.ts';
import { whole } from '../../demo/state/regions.ts';
import type { Region } from '../../src/index.ts';
import { apart } from './page-pictures.ts';
import { servedFolder } from './page.ts';
import type { ServedModel } from './site.ts';

declare global {
  interface Window {
    parts: typeof parts;
  }
}

const SIZE = { width: 48, height: 16 };
/** Runs of 16 squared, four tiles each: no photo is small enough to be made at once. */
const RUNS = { runPixels: 1, runSide: 64 };
/** Sheets of 12 squared and an apron of 8: borders of sheets and runs lie in different places. */
const ROOM = { ...RUNS, sheetSide: 112 };

async function open(room: Partial<Room>, model: ServedModel): Promise<Session> {
  currentSession()?.dispose();
  const session = await Session.open(room);
  setSession(session);
  use(model, 'tiny');
  change({ tile: 16, seed: 5 });
  const canvas = new OffscreenCanvas(SIZE.width, SIZE.height);
  const context = canvas.getContext('2d')!;
  for (let x = 0; x < SIZE.width; x += 4) {
    context.fillStyle = `hsl(${3 * x} 60% ${30 + (x % 12) * 3}%)`;
    context.fillRect(x, 0, 4, SIZE.height);
  }
  await openPhoto(canvas.convertToBlob(), 'stripes.png');
  app.visible.value = whole(SIZE);
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
  for (const { bitmap, region: at } of currentSession()!.surface!.sheets.bitmaps(region)) {
    context.drawImage(bitmap, 4 * (at.x - region.x), 4 * (at.y - region.y));
  }
  return context.getImageData(0, 0, canvas.width, canvas.height).data;
}

/** A picture of its own: three parts that fade into each other, in one texture each. */
function pasteThree(session: Session): void {
  const { device, surface } = session;
  for (const [i, x] of [0, 13, 27].entries()) {
    const region = { x, y: 0, width: 21, height: SIZE.height };
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
};
window.parts = parts;
