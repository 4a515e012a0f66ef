/**
 * What the page does with runs, without a browser: the session is one that paints its seed. A photo of 48
 * columns is made in runs of 16; `made` has what is in each column of its result.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { setSession } from '../../demo/actions/current-session.ts';
import { cancel, ended } from '../../demo/actions/execution.ts';
import { prepare } from '../../demo/actions/memory.ts';
import { choose, NANO_REQUEST } from '../../demo/actions/model-choice.ts';
import {
  downloadLarge,
  large,
  lookForLarge,
  SD_TURBO,
  useNano,
} from '../../demo/actions/models.ts';
import { followView, forget, makeSelection, sharpen } from '../../demo/actions/runs.ts';
import { undo } from '../../demo/actions/tries.ts';
import type { RunRequest, Session } from '../../demo/engine/session.ts';
import type { Picture } from '../../demo/picture/open.ts';
import * as app from '../../demo/state/app.ts';
import { change, DEFAULTS, options } from '../../demo/state/options.ts';
import type { Region } from '../../src/index.ts';
import { fetchClient } from '../../src/weights/browser/fetch-client.ts';

const SIZE = { width: 48, height: 16 };
/** Runs of 16 squared, four tiles of 16 each. */
const ROOM = { textureSide: 8192, sheetSide: 4096, runPixels: 1, runSide: 64 };
const SEED = 5;

let made: (number | undefined)[];
/** A part of it is begun; what it gives is waited for before the part is there. */
let atPart: (request: RunRequest) => Promise<void> | void;
let preparations: number;

const paint = ({ x, width }: Region, value: number | undefined): void => {
  made.fill(value, x, x + width);
};
const columns = (x: number, width: number): Region => ({ x, y: 0, width, height: SIZE.height });
const allOf = (value: number): readonly number[] => Array<number>(SIZE.width).fill(value);

function openSession(room = ROOM): void {
  made = Array<undefined>(SIZE.width).fill(undefined);
  const sheets = {
    parts: [],
    async copy({ x, width }: Region) {
      const kept = made.slice(x, x + width);
      return { restore: () => made.splice(x, width, ...kept), destroy() {} };
    },
    clear: () => made.fill(undefined),
  };
  const sharpenPart = async (request: RunRequest, part: Region): Promise<void> => {
    await atPart(request);
    request.signal.throwIfAborted();
    paint(part, request.options.seed);
  };
  const session = {
    room,
    surface: { size: SIZE, before: {}, sheets },
    plannedBytes: async () => undefined,
    prepare: async () => void preparations++,
    sharpenAtOnce: (request: RunRequest) => sharpenPart(request, columns(0, SIZE.width)),
    sharpenPart,
  };
  setSession(session as unknown as Session);
}

beforeEach(() => {
  openSession();
  atPart = () => {};
  preparations = 0;
  change({ tile: 16, seed: SEED });
  app.fit.value = 'parts';
  app.visible.value = columns(0, SIZE.width);
});
afterEach(async () => {
  vi.unstubAllGlobals();
  cancel();
  await ended();
  forget();
  setSession(null);
  choose(app.NANO, NANO_REQUEST);
  options.value = DEFAULTS;
  app.picture.value = null;
  app.result.value = null;
  app.selection.value = null;
  app.notice.value = null;
  app.followsView.value = false;
});

/** Stops as soon as a part is begun; resolves when what was stopped has ended. */
const stopAtFirstPart = (): void => {
  atPart = () => cancel();
};

async function make(region: Region): Promise<void> {
  app.selection.value = region;
  await makeSelection();
}

describe('a part', () => {
  test('that is not sharp is made as the rest will be; the rest leaves it', async () => {
    await make(columns(20, 8));
    expect(made).toEqual(allOf(SEED).map((seed, x) => (x >= 20 && x < 28 ? seed : undefined)));
    expect([app.result.value?.isWhole, app.canUndo.value]).toEqual([false, false]);
    await sharpen();
    expect(made).toEqual(allOf(SEED));
    expect(app.result.value?.isWhole).toBe(true);
  });

  test.each(['parts', 'whole'] as const)(
    'tried again stays when the rest is made, and is undone without a hole: %s',
    async (fit) => {
      app.fit.value = fit;
      openSession(fit === 'whole' ? { ...ROOM, runPixels: 2 ** 20 } : ROOM);
      await make(columns(18, 12));
      await make(columns(20, 8));
      const tried = made[20];
      expect(tried).not.toBe(SEED);
      await sharpen();
      expect(made).toEqual(allOf(SEED).map((seed, x) => (x >= 20 && x < 28 ? tried : seed)));
      expect(app.result.value?.isWhole).toBe(true);
      undo();
      expect(made).toEqual(allOf(SEED));
      expect(app.canUndo.value).toBe(false);
    },
  );

  test('undo during another try does nothing: stopped, that gives back the first', async () => {
    await sharpen();
    await make(columns(4, 8));
    const first = [...made];
    atPart = () => {
      expect(app.isTrying.value).toBe(true);
      undo();
      cancel();
    };
    await makeSelection();
    expect(made).toEqual(first);
    expect(app.canUndo.value).toBe(true);
    undo();
    expect(made).toEqual(allOf(SEED));
  });
});

test('a view that settles while a part is made leaves it to its end', async () => {
  app.followsView.value = true;
  app.visible.value = columns(0, 8);
  atPart = () => followView();
  await make(columns(20, 8));
  expect([made[0], made[20]]).toEqual([undefined, SEED]);
});

describe('a whole result', () => {
  test('made again and stopped is whole still; made again to the end, it has no tries', async () => {
    await sharpen();
    await make(columns(4, 8));
    const before = [...made];
    stopAtFirstPart();
    await sharpen();
    expect([made, app.result.value?.isWhole]).toEqual([before, true]);
    atPart = () => {};
    await sharpen();
    expect([made, app.canUndo.value]).toEqual([allOf(SEED), false]);
  });

  test('goes for another look by a press, not by a view that settles', async () => {
    await sharpen();
    change({ seed: 6 });
    app.followsView.value = true;
    app.visible.value = columns(0, 8);
    followView();
    await ended();
    expect([made, app.result.value?.isWhole]).toEqual([allOf(SEED), true]);
    await sharpen();
    expect(made.slice(0, 10)).toEqual([...allOf(6).slice(0, 8), undefined, undefined]);
    // Once it is not whole any more, the view is followed.
    app.visible.value = columns(8, 8);
    followView();
    await ended();
    expect(made.slice(0, 16)).toEqual(allOf(6).slice(0, 16));
  });
});

test('work that is stopped counts as a change from its first tile on', async () => {
  await sharpen();
  const { value: saved } = app.changes;
  stopAtFirstPart();
  await make(columns(4, 8));
  expect(app.changes.value).toBe(saved);
  atPart = ({ onTile }) => {
    onTile();
    cancel();
  };
  await makeSelection();
  expect(app.changes.value).toBeGreaterThan(saved + 1);
});

describe('the model', () => {
  test('that is in use is chosen again: the run goes on', async () => {
    atPart = () => useNano();
    await sharpen();
    expect(made).toEqual(allOf(SEED));
  });

  test('is another one: the run ends, or makes what is looked at with it', async () => {
    const own = { ...NANO_REQUEST, id: 'own' };
    choose(app.NANO, own);
    atPart = () => useNano();
    await sharpen();
    expect([made, app.result.value]).toEqual([Array(SIZE.width).fill(undefined), null]);

    choose(app.NANO, own);
    const models: string[] = [];
    atPart = ({ model }) => {
      models.push(model.id);
      useNano();
    };
    app.followsView.value = true;
    app.visible.value = columns(0, 8);
    await sharpen();
    await ended();
    expect(models).toEqual(['own', 'nano']);
    expect(made.slice(0, 8)).toEqual(allOf(SEED).slice(0, 8));
  });

  test('is here: what a look before the download finds after it counts no more', async () => {
    vi.stubGlobal('navigator', {}); // without storage: in memory
    const answers: ((answer: Response) => void)[] = [];
    vi.stubGlobal('fetch', () => new Promise<Response>((answer) => answers.push(answer)));
    const looking = lookForLarge();
    await vi.waitFor(() => expect(answers).not.toEqual([]));
    const empty = { licences: [], files: [], own: new Map<string, string>(), bytes: 0 };
    await downloadLarge({ name: SD_TURBO, ...empty, client: fetchClient() });
    for (const answer of answers) answer(new Response('no', { status: 404 }));
    await looking;
    expect([large.value.kind, app.model.value.id]).toEqual(['here', SD_TURBO]);
  });

  test('is not prepared where a run begins at the same time', async () => {
    app.picture.value = { ...SIZE, name: 'a' } as Picture;
    const preparing = prepare(ended());
    for (let turn = 0; turn < 10; turn++) await Promise.resolve(); // as until a sample is sharpened
    await sharpen();
    await preparing;
    expect(preparations).toBe(0);
    await prepare(ended());
    expect(preparations).toBe(1);
  });
});

test('good news outlives a run that nobody asked for, a problem does not', async () => {
  app.followsView.value = true;
  const told: (string | undefined)[] = [];
  for (const [at, kind] of (['done', 'problem'] as const).entries()) {
    app.visible.value = columns(8 * at, 8);
    app.notice.value = { kind, text: kind };
    followView();
    await ended();
    told.push(app.notice.value?.text);
  }
  expect(told).toEqual(['done', undefined]);
});

test('said twice, it is told twice, with the same words', () => {
  app.say('Stopped');
  const once = app.announcement.value;
  app.say('Stopped');
  expect(app.announcement.value).not.toBe(once);
  expect(app.announcement.value.trim()).toBe(once.trim());
});
