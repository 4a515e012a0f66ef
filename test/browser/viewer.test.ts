/**
 * demo/viewer in Chromium: what the canvas shows, pixel by pixel, and what mouse, keys and fingers do.
 * One page for all; each test begins with the same pictures and view.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Dev } from '../../demo/viewer/dev/main.ts';
import type { View, Viewer } from '../../demo/viewer/types.ts';
import { errorsOf } from '../harness/chromium.ts';
import { inBrowsers } from '../harness/in-browsers.ts';
import { serveViewer } from '../harness/viewer-page.ts';

/** CSS pixels of the canvas; one device pixel each. */
const WIDTH = 400;
const HEIGHT = 300;
/** Input pixels; the result at 1:1 is larger than the canvas. */
const PICTURE = { width: 120, height: 90 };

declare const dev: Dev;

inBrowsers((browser) =>
  describe('the viewer', () => {
    let server: Awaited<ReturnType<typeof serveViewer>>;
    let page: Page;
    let errors: readonly string[];

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

    const set = (properties: Partial<Viewer>): Promise<unknown> =>
      page.evaluate((all) => Object.assign(dev.viewer, all), properties as object);
    const view = (): Promise<View> => page.evaluate(() => dev.viewer.view);
    /** Waits for it: input reaches the page at its next frame. */
    const becomes = <T>(read: () => Promise<T>) => expect.poll(read, { timeout: 10_000 });
    const property = (name: keyof Viewer) => (): Promise<unknown> =>
      page.evaluate((name) => dev.viewer[name], name);
    const visible = (): Promise<unknown> => page.evaluate(() => dev.viewer.visibleRegion());
    const lastEvent = (): Promise<unknown> => page.evaluate(() => dev.events.at(-1));

    /** RGBA of the canvas, drawn now. */
    const pixels = async (): Promise<(x: number, y: number) => number[]> => {
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
    const RED = [255, 0, 0, 255];
    const GREEN = [0, 255, 0, 255];
    const BLUE = [0, 0, 255, 255];

    describe('shows', () => {
      test('the input left of the slider and the result from there on', async () => {
        await set({ slider: 0.25 });
        const at = await pixels();
        expect([at(99, 150), at(100, 150)]).toEqual([RED, GREEN]);
        await set({ showsBefore: true });
        expect((await pixels())(350, 150)).toEqual(RED);
        await set({ showsBefore: false, mode: 'single' });
        expect((await pixels())(50, 150)).toEqual(GREEN);
      });

      test('the input in the lens', async () => {
        await set({ mode: 'lens' });
        const at = await pixels();
        expect([at(200, 150), at(152, 150), at(247, 150)]).toEqual([RED, RED, RED]);
        expect([at(148, 150), at(252, 150), at(200, 98)]).toEqual([GREEN, GREEN, GREEN]);
      });

      test('both halves at the same place', async () => {
        await set({ mode: 'side' });
        const at = await pixels();
        expect([at(10, 150), at(199, 150), at(200, 150), at(390, 150)]).toEqual([
          RED,
          RED,
          GREEN,
          GREEN,
        ]);
        // 200 x 300 pixels hold 200 x 150 of the picture: above and below it is empty.
        expect([at(100, 74), at(300, 226)]).toEqual([
          [0, 0, 0, 0],
          [0, 0, 0, 0],
        ]);
        expect(await visible()).toEqual({ x: 0, y: 0, ...PICTURE });
      });

      test('at 1:1 the very texels of the result, also after a move by parts of a pixel', async () => {
        await page.evaluate(({ width, height }) => {
          const { viewer } = dev;
          viewer.setImages({
            before: dev.texture(width, height, () => [0, 0, 0, 255]),
            after: dev.texture(width * 4, height * 4, (x, y) => [x & 255, y & 255, x >> 8, 255]),
            scale: 4,
          });
          viewer.mode = 'single';
          viewer.zoomTo(1);
          viewer.view = { x: 60.03, y: 45.1, zoom: 1 };
        }, PICTURE);
        const at = await pixels();
        // The middle of the canvas is texel 240.12, 180.4, on whole texels 240, 180.
        const expected = (x: number, y: number): number[] => {
          const texel = x - WIDTH / 2 + 240;
          return [texel & 255, (y - HEIGHT / 2 + 180) & 255, texel >> 8, 255];
        };
        for (const [x, y] of [
          [0, 0],
          [399, 299],
          [200, 150],
          [37, 251],
        ] as const) {
          expect(at(x, y)).toEqual(expected(x, y));
        }
      });

      test('a reduced picture as means over areas: a chessboard of texels is an even grey', async () => {
        const chess = (zoom: number): Promise<unknown> =>
          page.evaluate((zoom) => {
            const { viewer } = dev;
            const paint = (x: number, y: number) => {
              const value = ((x + y) & 1) * 255;
              return [value, value, value, 255] as const;
            };
            viewer.setImages({
              before: dev.texture(400, 300, paint),
              after: dev.texture(1600, 1200, paint),
              scale: 4,
            });
            viewer.mode = 'single';
            viewer.view = { x: 200, y: 150, zoom };
          }, zoom);
        const spread = async (): Promise<number> => {
          const at = await pixels();
          let worst = 0;
          for (let i = 0; i < 160; i++) {
            worst = Math.max(worst, Math.abs(at(i + 90, i + 70)[0]! - 127.5));
          }
          return worst;
        };
        // 4 x 4 texels per pixel: even but for rounding.
        await chess(0.25);
        expect(await spread()).toBeLessThanOrEqual(1);
        // 2.5 x 2.5: at most half a texel of each row has no partner, 1 / 25 of half the range.
        await chess(0.4);
        expect(await spread()).toBeLessThanOrEqual(255 / 50 + 1);
      });

      test('an enlarged input by Catmull-Rom, or as squares', async () => {
        const value = (x: number, y: number): number => (x * 37 + y * 91 + x * y * 13) & 255;
        await page.evaluate(({ width, height }) => {
          const paint = (x: number, y: number) =>
            [(x * 37 + y * 91 + x * y * 13) & 255, 0, 0, 255] as const;
          dev.viewer.setImages({ before: dev.texture(width, height, paint), scale: 4 });
          dev.viewer.view = { x: 60, y: 45, zoom: 1 };
        }, PICTURE);
        const weights = (t: number): number[] =>
          [t + 1, t, 1 - t, 2 - t].map((d) =>
            d < 1 ? 1.5 * d ** 3 - 2.5 * d ** 2 + 1 : -0.5 * d ** 3 + 2.5 * d ** 2 - 4 * d + 2,
          );
        const bicubic = (x: number, y: number): number => {
          const [u, v] = [(x + 0.5) / 4 - 0.5, (y + 0.5) / 4 - 0.5];
          const [i, j] = [Math.floor(u), Math.floor(v)];
          const [wx, wy] = [weights(u - i), weights(v - j)];
          let sum = 0;
          for (let b = 0; b < 4; b++) {
            for (let a = 0; a < 4; a++) sum += wx[a]! * wy[b]! * value(i + a - 1, j + b - 1);
          }
          return Math.min(Math.max(sum, 0), 255);
        };
        const at = await pixels();
        for (let i = 0; i < 40; i++) {
          const [x, y] = [7 * i + 3, 5 * i + 1];
          // Output pixel 0 of the canvas is 240 - 200, 180 - 150 of the picture. One step of 8 bits, for rounding.
          expect(Math.abs(at(x, y)[0]! - bicubic(x + 40, y + 30))).toBeLessThanOrEqual(1);
        }
        await set({ sampling: 'pixels' });
        const squares = await pixels();
        for (let i = 0; i < 40; i++) {
          const [x, y] = [7 * i + 3, 5 * i + 1];
          expect(squares(x, y)[0]).toBe(value((x + 40) >> 2, (y + 30) >> 2));
        }
      });

      test('the input where the result is still transparent', async () => {
        await page.evaluate(({ width, height }) => {
          dev.viewer.setImages({
            before: dev.texture(width, height, () => [255, 0, 0, 255]),
            after: dev.texture(width * 4, height * 4, (x) =>
              x < 240 ? [0, 255, 0, 255] : [0, 0, 0, 0],
            ),
            scale: 4,
          });
          dev.viewer.mode = 'single';
        }, PICTURE);
        const at = await pixels();
        expect([at(190, 150), at(210, 150)]).toEqual([GREEN, RED]);
      });

      test('parts of the result over the input, the later ones over the earlier ones', async () => {
        await page.evaluate(({ width, height }) => {
          const part = (x: number, size: number, blue: number) => ({
            texture: dev.texture(4 * size, 4 * size, () => [0, 255 - blue, blue, 255]),
            region: { x, y: 30, width: size, height: size },
          });
          dev.viewer.setImages({
            before: dev.texture(width, height, () => [255, 0, 0, 255]),
            parts: [part(60, 30, 0), part(75, 15, 255)],
            scale: 4,
          });
        }, PICTURE);
        // 3 input pixels are 10 of the canvas; the slider is at 200.
        await set({ slider: 0.55 });
        const at = await pixels();
        expect([at(219, 150), at(220, 150), at(249, 150)]).toEqual([RED, GREEN, GREEN]);
        expect([at(250, 149), at(299, 149), at(300, 149)]).toEqual([BLUE, BLUE, RED]);
        expect([at(250, 150), at(230, 99), at(230, 100)]).toEqual([GREEN, RED, GREEN]);
      });

      test('all device pixels of a screen with more of them', async () => {
        const context = await browser().newContext({
          viewport: { width: 200, height: 150 },
          deviceScaleFactor: 2,
        });
        const fine = await context.newPage();
        await fine.goto(`${server.url}?bare`);
        const size = () => fine.evaluate(() => document.querySelector('canvas')?.width);
        await becomes(size).toBe(400);
        // 192 input pixels, 768 of the result, in 400 device pixels.
        expect(await fine.evaluate(() => dev.viewer.view.zoom)).toBeCloseTo(400 / 768, 9);
        // This page wants motion: jumps glide, and arrive exactly.
        expect(
          await fine.evaluate(() => (dev.viewer.zoomTo(1), dev.viewer.view.zoom)),
        ).toBeLessThan(1);
        await becomes(() => fine.evaluate(() => dev.viewer.view)).toEqual({
          x: 96,
          y: 64,
          zoom: 1,
        });
        await context.close();
      });
    });

    describe('is moved', () => {
      test('by the wheel, about the pointer', async () => {
        const before = await view();
        await page.mouse.move(300, 100);
        await page.mouse.wheel(0, -400);
        await becomes(async () => (await view()).zoom).toBeCloseTo(before.zoom * Math.exp(0.8), 9);
        const after = await view();
        // The input pixel under (300, 100), 100 right of and 50 above the middle.
        expect(after.x + 100 / (4 * after.zoom)).toBeCloseTo(before.x + 100 / (4 * before.zoom), 6);
        expect(after.y - 50 / (4 * after.zoom)).toBeCloseTo(before.y - 50 / (4 * before.zoom), 6);
      });

      test('by dragging, no further than the border', async () => {
        await page.evaluate(() => dev.viewer.zoomTo(2));
        const { x, y } = await view();
        await page.mouse.move(300, 100);
        await page.mouse.down();
        await page.mouse.move(260, 124, { steps: 3 });
        await page.mouse.up();
        await becomes(view).toEqual({
          x: expect.closeTo(x + 40 / 8, 9),
          y: expect.closeTo(y - 24 / 8, 9),
          zoom: 2,
        });
        await page.mouse.move(40, 40);
        await page.mouse.down();
        await page.mouse.move(390, 290);
        await page.mouse.up();
        await becomes(visible).toEqual({ x: 0, y: 0, width: 50, height: 38 });
      });

      test('by two fingers, and by one that stays', async () => {
        const touch = await page.context().newCDPSession(page);
        const send = (type: string, ...points: [number, number][]): Promise<unknown> =>
          touch.send('Input.dispatchTouchEvent', {
            type: type as 'touchMove',
            touchPoints: points.map(([x, y], id) => ({ x, y, id })),
          });
        const before = await view();
        await send('touchStart', [300, 150]);
        await send('touchStart', [300, 150], [320, 150]);
        await send('touchMove', [290, 150], [330, 150]);
        await send('touchMove', [270, 150], [350, 150]);
        await becomes(async () => (await view()).zoom).toBeCloseTo(before.zoom * 4, 6);
        // What was between the fingers, at 310, is there still.
        const zoomed = await view();
        const pixel = 1 / (4 * zoomed.zoom);
        expect(zoomed.x + 110 * pixel).toBeCloseTo(before.x + 110 / (4 * before.zoom), 6);
        await touch.send('Input.dispatchTouchEvent', {
          type: 'touchEnd',
          touchPoints: [{ x: 350, y: 150, id: 1 }],
        });
        await send('touchMove', [250, 130]);
        await send('touchEnd');
        await becomes(view).toEqual({
          x: expect.closeTo(zoomed.x + 20 * pixel, 6),
          y: expect.closeTo(zoomed.y + 20 * pixel, 6),
          zoom: zoomed.zoom,
        });
      });

      test("by Safari's pinch on a touchpad", async () => {
        const before = await view();
        const after = await page.evaluate(() => {
          const gesture = (type: string, scale: number): void => {
            const event = new MouseEvent(type, { clientX: 300, clientY: 150, cancelable: true });
            document
              .querySelector('.viewer-surface')!
              .dispatchEvent(Object.assign(event, { scale }));
          };
          gesture('gesturestart', 1);
          gesture('gesturechange', 1.5);
          gesture('gesturechange', 2);
          return dev.viewer.view;
        });
        expect(after.zoom).toBeCloseTo(2 * before.zoom, 9);
        expect(after.x + 100 / (4 * after.zoom)).toBeCloseTo(before.x + 100 / (4 * before.zoom), 6);
      });

      test('by a double click to 1:1 at that place, and back', async () => {
        const { zoom, x } = await view();
        await page.mouse.dblclick(300, 100);
        await becomes(view).toMatchObject({
          x: expect.closeTo(x + 100 / 4 / zoom - 25, 6),
          zoom: 1,
        });
        await page.mouse.dblclick(300, 100);
        await becomes(view).toMatchObject({ zoom });
        expect(await property('isFitted')()).toBe(true);
      });

      test('by keys', async () => {
        await page.locator('.viewer-surface').focus();
        const { zoom } = await view();
        await page.keyboard.press('+');
        await becomes(view).toMatchObject({ zoom: expect.closeTo(zoom * 1.5, 9) });
        await page.keyboard.press('1');
        await becomes(view).toMatchObject({ zoom: 1 });
        const { x } = await view();
        await page.keyboard.press('ArrowRight');
        await becomes(view).toMatchObject({ x: expect.closeTo(x + 30 / 4, 9) });
        await page.keyboard.press('0');
        await becomes(view).toMatchObject({ zoom });
        await page.keyboard.press('-'); // smaller than all of it is of no use
        await page.keyboard.down('Space');
        await becomes(property('showsBefore')).toBe(true);
        await page.keyboard.up('Space');
        await becomes(property('showsBefore')).toBe(false);
        expect(await view()).toMatchObject({ zoom });
      });

      test('and tells it, once a frame', async () => {
        const told = await page.evaluate(async () => {
          const frame = (): Promise<unknown> => new Promise(requestAnimationFrame);
          await frame();
          await frame();
          let submits = 0;
          const { queue } = dev.device;
          const submit = queue.submit.bind(queue);
          queue.submit = (commands) => {
            submits++;
            submit(commands);
          };
          dev.events.length = 0;
          dev.viewer.zoomBy(1.5);
          dev.viewer.zoomBy(1.5);
          dev.viewer.slider = 0.3;
          for (let i = 0; i < 5; i++) await frame();
          queue.submit = submit;
          return { submits, events: dev.events, view: dev.viewer.view };
        });
        expect(told.submits).toBe(1);
        expect(told.events).toEqual([{ view: told.view }]);
      });
    });

    describe('the slider', () => {
      test('is dragged, and keeps within the canvas', async () => {
        await page.mouse.move(203, 220);
        await page.mouse.down();
        await page.mouse.move(83, 200, { steps: 2 });
        await becomes(property('slider')).toBeCloseTo(0.2, 9);
        await page.mouse.move(-50, 200);
        await page.mouse.up();
        await becomes(lastEvent).toEqual({ slider: 0 });
        expect(await property('slider')()).toBe(0);
      });

      test('has keys, and says where it is', async () => {
        const slider = page.getByRole('slider');
        await page.evaluate(() => dev.viewer.zoomTo(2));
        const still = await view();
        await slider.focus();
        const steps = { ArrowRight: '51', PageDown: '41', Home: '0', End: '100', ArrowLeft: '99' };
        for (const [key, value] of Object.entries(steps)) {
          await page.keyboard.press(key);
          await becomes(() => slider.getAttribute('aria-valuenow')).toBe(value);
        }
        expect(await slider.getAttribute('aria-valuetext')).toBe('99 percent before');
        expect(await view()).toEqual(still); // its arrows do not pan
        await page.keyboard.down('b');
        await becomes(property('showsBefore')).toBe(true);
        await pixels(); // drawn: what would be hidden now would let the key go
        expect(await property('showsBefore')()).toBe(true);
        await page.keyboard.up('b');
        await becomes(property('showsBefore')).toBe(false);
      });
    });

    test('the lens goes with the mouse, and by arrows', async () => {
      await set({ mode: 'lens' });
      await page.mouse.move(120, 90);
      await becomes(property('lens')).toMatchObject({ x: 0.3, y: 0.3 });
      await page.locator('.viewer-lens').focus();
      await page.keyboard.press('ArrowRight');
      await page.keyboard.press('Shift+ArrowDown');
      await becomes(property('lens')).toMatchObject({
        x: expect.closeTo(128 / WIDTH, 9),
        y: expect.closeTo(170 / HEIGHT, 9),
      });
    });

    describe('a region', () => {
      const region = property('region');
      const drag = async (from: [number, number], to: [number, number]): Promise<void> => {
        await page.mouse.move(...from);
        await page.mouse.down();
        await page.mouse.move(...to, { steps: 2 });
        await page.mouse.up();
      };
      const boxTop = async () => (await page.locator('.viewer-region').boundingBox())?.y;
      // 400 x 300 show 120 x 90 input pixels: ten of the canvas are three.
      test('is drawn, moved and resized by the mouse', async () => {
        await set({ tool: 'region', mode: 'single' });
        await drag([100, 100], [200, 160]);
        await becomes(region).toEqual({ x: 30, y: 30, width: 30, height: 18 });
        await becomes(lastEvent).toEqual({
          region: { x: 30, y: 30, width: 30, height: 18 },
          done: true,
        });
        await becomes(boxTop).toBe(100);
        await drag([150, 130], [170, 80]);
        await becomes(region).toEqual({ x: 36, y: 15, width: 30, height: 18 });
        await becomes(boxTop).toBe(50);
        await drag([10, 250], [12, 251]); // a tremble draws nothing
        await drag([220, 110], [320, 10]); // the last corner, above the first
        await becomes(region).toEqual({ x: 36, y: 3, width: 60, height: 12 });
      });

      test('is placed, moved, resized and removed by keys', async () => {
        await set({ tool: 'region' });
        await page.locator('.viewer-surface').focus();
        await page.keyboard.press('Enter');
        await becomes(region).toEqual({ x: 30, y: 22, width: 60, height: 45 });
        await page.keyboard.press('ArrowLeft');
        await page.keyboard.press('Shift+ArrowUp');
        await becomes(region).toEqual({ x: 29, y: 12, width: 60, height: 45 });
        await page.keyboard.press('Tab');
        await page.keyboard.press('ArrowRight');
        await page.keyboard.press('Shift+ArrowDown');
        await becomes(region).toEqual({ x: 29, y: 12, width: 61, height: 55 });
        await page.keyboard.press('Escape');
        await becomes(region).toBeUndefined();
        await becomes(lastEvent).toEqual({ done: true });
      });
    });

    test('tiles under way are outlined over the result', async () => {
      await set({ mode: 'single', tiles: [{ x: 30, y: 0, width: 30, height: 45 }] });
      await page.waitForFunction(
        () => document.querySelector('.viewer-tile')?.getBoundingClientRect().width === 100,
      );
      const { x, y, height } = (await page.locator('.viewer-tile').boundingBox())!;
      expect([x, y, height]).toEqual([100, 0, 150]);
      await set({ tiles: [] });
      await page.waitForFunction(() => !document.querySelector('.viewer-tile'));
    });

    test('a fitted view fits when the canvas changes; others keep what they show', async () => {
      await page.setViewportSize({ width: 200, height: 300 });
      await page.waitForFunction(() => document.querySelector('canvas')?.width === 200);
      expect((await view()).zoom).toBeCloseTo(200 / 480, 12);
      await page.evaluate(() => dev.viewer.zoomTo(2));
      await page.setViewportSize({ width: WIDTH, height: HEIGHT });
      await page.waitForFunction(() => document.querySelector('canvas')?.width === 400);
      expect(await view()).toEqual({ x: 60, y: 45, zoom: 2 });
    });

    test('goes on with another device', async () => {
      await page.evaluate(async () => {
        const adapter = await navigator.gpu.requestAdapter();
        const device = await adapter!.requestDevice();
        dev.device.destroy();
        await dev.device.lost;
        dev.useDevice(device);
      });
      expect((await pixels())(200, 150)).toEqual([0, 0, 0, 0]);
      await page.evaluate(({ width, height }) => {
        dev.viewer.setImages({
          before: dev.texture(width, height, () => [255, 0, 0, 255]),
          scale: 4,
        });
      }, PICTURE);
      expect((await pixels())(200, 150)).toEqual(RED);
    });

    test('refuses textures that it cannot show', async () => {
      const said = await page.evaluate(() => {
        const texture = (width: number, usage: number, sampleCount = 1): GPUTexture =>
          dev.device.createTexture({ size: [width, 8], format: 'rgba8unorm', usage, sampleCount });
        const before = texture(8, GPUTextureUsage.TEXTURE_BINDING);
        const several = GPUTextureUsage.TEXTURE_BINDING | GPUTextureUsage.RENDER_ATTACHMENT;
        return [
          { before, scale: 1.5 },
          { before: texture(8, GPUTextureUsage.COPY_SRC), scale: 4 },
          { before: texture(8, several, 4), scale: 4 },
          { before, after: before, scale: 4 },
          {
            before,
            parts: [{ texture: before, region: { x: 0, y: 0, width: 4, height: 1 } }],
            scale: 4,
          },
        ].map((images) => {
          try {
            dev.viewer.setImages(images);
            return 'accepted';
          } catch (error) {
            return String(error);
          }
        });
      });
      expect(said).toEqual([
        'RangeError: scale is 1.5, expected a whole number from 1 on',
        'TypeError: before cannot be read by a shader: it needs usage TEXTURE_BINDING',
        'TypeError: before must be a 2d texture with one sample per pixel',
        'RangeError: after is 8 x 8, expected 32 x 32',
        'RangeError: part 0 is 8 x 8, expected 16 x 4',
      ]);
    });

    test('axe finds nothing wrong, in any mode', async () => {
      const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
      await page.evaluate(readFileSync(axe, 'utf8'));
      await set({ tool: 'region', region: { x: 10, y: 10, width: 30, height: 30 } });
      for (const mode of ['single', 'slider', 'lens', 'side'] as const) {
        await set({ mode });
        await pixels();
        const violations = await page.evaluate(
          'axe.run(".viewer").then(({ violations }) => violations.map(({ id, help }) => `${id}: ${help}`))',
        );
        expect(violations).toEqual([]);
      }
    });

    test('leaves nothing behind, and no error came up', async () => {
      await page.evaluate(() => dev.viewer.dispose());
      expect(await page.evaluate(() => document.querySelector('.viewer')?.childElementCount)).toBe(
        1,
      );
      expect(errors).toEqual([]);
    });
  }),
);
