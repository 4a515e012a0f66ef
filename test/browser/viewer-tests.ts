/**
 * demo/viewer on a page of its own, for tests: every one begins with the same pictures and view.
 *
 *   const on = onViewer(browser);
 *   test('…', async () => {
 *     await on.set({ mode: 'lens' });
 *     expect((await on.pixels())(200, 150)).toEqual(RED);
 */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, vi } from 'vitest';
import type { Dev } from '../../demo/viewer/dev/main.ts';
import type { View, Viewer } from '../../demo/viewer/types.ts';
import { errorsOf } from '../harness/browsers.ts';
import { serveViewer } from '../harness/viewer-page.ts';

/** CSS pixels of the canvas; one device pixel each. */
export const WIDTH = 400;
export const HEIGHT = 300;
/** Input pixels; the result at 1:1 is larger than the canvas. */
export const PICTURE = { width: 120, height: 90 };
/** Before, after, and what covers them. */
export const RED = [255, 0, 0, 255];
export const GREEN = [0, 255, 0, 255];
export const BLUE = [0, 0, 255, 255];

declare const dev: Dev;

export interface ViewerPage {
  readonly page: Page;
  readonly url: string;
  readonly errors: readonly string[];
  readonly set: (properties: Partial<Viewer>) => Promise<unknown>;
  readonly view: () => Promise<View>;
  readonly property: (name: keyof Viewer) => () => Promise<unknown>;
  readonly visible: () => Promise<unknown>;
  readonly lastEvent: () => Promise<unknown>;
  /** RGBA of the canvas, drawn now. */
  readonly pixels: () => Promise<(x: number, y: number) => number[]>;
}

/** Waits for it: input reaches the page at its next frame. */
export const becomes = <T>(read: () => Promise<T>) => expect.poll(read, { timeout: 10_000 });

/** What it gives may be read while tests run. */
export function onViewer(browser: () => Browser): ViewerPage {
  let server: Awaited<ReturnType<typeof serveViewer>>;
  let page: Page;
  let errors: readonly string[];

  const pixels = async (): ReturnType<ViewerPage['pixels']> => {
    const [width, base64] = await page.evaluate(
      () =>
        new Promise<[number, string]>((resolve) => {
          dev.viewer.invalidate();
          requestAnimationFrame(() => {
            const canvas = document.querySelector('canvas')!;
            const copy = new OffscreenCanvas(canvas.width, canvas.height);
            const context = copy.getContext('2d')!;
            context.drawImage(canvas, 0, 0);
            const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
            // A text: playwright takes seconds for a list of numbers.
            let text = '';
            for (const value of data) text += String.fromCharCode(value);
            resolve([canvas.width, btoa(text)]);
          });
        }),
    );
    const bytes = Buffer.from(base64, 'base64');
    return (x, y) => [...bytes.subarray((y * width + x) * 4, (y * width + x) * 4 + 4)];
  };

  beforeAll(async () => {
    server = await serveViewer();
    const context = await browser().newContext({
      viewport: { width: WIDTH, height: HEIGHT },
      reducedMotion: 'reduce',
      hasTouch: true,
    });
    page = await context.newPage();
    errors = errorsOf(page);
    await page.goto(`${server.url}?bare`);
    await page.waitForFunction('globalThis.dev');
    // Its own picture is there when the pipeline is.
    await vi.waitUntil(async () => (await pixels())(200, 150)[3] === 255, { timeout: 10_000 });
  });
  afterAll(async () => {
    await page?.context().close();
    await server?.close();
  });

  /** Red before, green after, fitted. */
  beforeEach(() =>
    page.evaluate(({ width, height }) => {
      const { viewer } = dev;
      (document.activeElement as HTMLElement).blur();
      viewer.setImages(undefined);
      viewer.setImages({
        before: dev.texture(width, height, () => [255, 0, 0, 255]),
        after: dev.texture(width * 4, height * 4, () => [0, 255, 0, 255]),
        scale: 4,
      });
      Object.assign(viewer, { mode: 'slider', slider: 0.5, sampling: 'smooth', tool: 'pan' });
      viewer.lens = { x: 0.5, y: 0.5, radius: 50, magnify: 1, shows: 'before' };
      viewer.fit();
      dev.events.length = 0;
    }, PICTURE),
  );

  return {
    get page() {
      return page;
    },
    get url() {
      return server.url;
    },
    get errors() {
      return errors;
    },
    set: (properties) =>
      page.evaluate((all) => Object.assign(dev.viewer, all), properties as object),
    view: () => page.evaluate(() => dev.viewer.view),
    property: (name) => () => page.evaluate((of) => dev.viewer[of] as unknown, name),
    visible: () => page.evaluate(() => dev.viewer.visibleRegion()),
    lastEvent: () => page.evaluate(() => dev.events.at(-1)),
    pixels,
  };
}
