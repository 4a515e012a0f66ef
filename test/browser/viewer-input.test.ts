/** demo/viewer in Chromium: what mouse, keys, fingers and sizes of the window do. */
import { describe, expect, test } from 'vitest';
import type { Dev } from '../../demo/viewer/dev/main.ts';
import { inBrowsers } from '../harness/in-browsers.ts';
import { becomes, HEIGHT, onViewer, WIDTH } from './viewer-tests.ts';

declare const dev: Dev;

inBrowsers((browser) => {
  const on = onViewer(browser);

  describe('is moved', () => {
    test('by the wheel, about the pointer', async () => {
      const before = await on.view();
      await on.page.mouse.move(300, 100);
      await on.page.mouse.wheel(0, -400);
      await becomes(async () => (await on.view()).zoom).toBeCloseTo(before.zoom * Math.exp(0.8), 9);
      const after = await on.view();
      // The input pixel under (300, 100), 100 right of and 50 above the middle.
      expect(after.x + 100 / (4 * after.zoom)).toBeCloseTo(before.x + 100 / (4 * before.zoom), 6);
      expect(after.y - 50 / (4 * after.zoom)).toBeCloseTo(before.y - 50 / (4 * before.zoom), 6);
    });

    test('by dragging, no further than the border', async () => {
      await on.page.evaluate(() => dev.viewer.zoomTo(2));
      const { x, y } = await on.view();
      await on.page.mouse.move(300, 100);
      await on.page.mouse.down();
      await on.page.mouse.move(260, 124, { steps: 3 });
      await on.page.mouse.up();
      await becomes(on.view).toEqual({
        x: expect.closeTo(x + 40 / 8, 9),
        y: expect.closeTo(y - 24 / 8, 9),
        zoom: 2,
      });
      await on.page.mouse.move(40, 40);
      await on.page.mouse.down();
      await on.page.mouse.move(390, 290);
      await on.page.mouse.up();
      await becomes(on.visible).toEqual({ x: 0, y: 0, width: 50, height: 38 });
    });

    test('by two fingers, and by one that stays', async () => {
      const touch = await on.page.context().newCDPSession(on.page);
      const send = (type: string, ...points: [number, number][]): Promise<unknown> =>
        touch.send('Input.dispatchTouchEvent', {
          type: type as 'touchMove',
          touchPoints: points.map(([x, y], id) => ({ x, y, id })),
        });
      const before = await on.view();
      await send('touchStart', [300, 150]);
      await send('touchStart', [300, 150], [320, 150]);
      await send('touchMove', [290, 150], [330, 150]);
      await send('touchMove', [270, 150], [350, 150]);
      await becomes(async () => (await on.view()).zoom).toBeCloseTo(before.zoom * 4, 6);
      // What was between the fingers, at 310, is there still.
      const zoomed = await on.view();
      const pixel = 1 / (4 * zoomed.zoom);
      expect(zoomed.x + 110 * pixel).toBeCloseTo(before.x + 110 / (4 * before.zoom), 6);
      await touch.send('Input.dispatchTouchEvent', {
        type: 'touchEnd',
        touchPoints: [{ x: 350, y: 150, id: 1 }],
      });
      await send('touchMove', [250, 130]);
      await send('touchEnd');
      await becomes(on.view).toEqual({
        x: expect.closeTo(zoomed.x + 20 * pixel, 6),
        y: expect.closeTo(zoomed.y + 20 * pixel, 6),
        zoom: zoomed.zoom,
      });
    });

    test("by Safari's pinch on a touchpad", async () => {
      const before = await on.view();
      const after = await on.page.evaluate(() => {
        const gesture = (type: string, scale: number): void => {
          const event = new MouseEvent(type, { clientX: 300, clientY: 150, cancelable: true });
          document.querySelector('.viewer-surface')!.dispatchEvent(Object.assign(event, { scale }));
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
      const { zoom, x } = await on.view();
      await on.page.mouse.dblclick(300, 100);
      await becomes(on.view).toMatchObject({
        x: expect.closeTo(x + 100 / 4 / zoom - 25, 6),
        zoom: 1,
      });
      await on.page.mouse.dblclick(300, 100);
      await becomes(on.view).toMatchObject({ zoom });
      expect(await on.property('isFitted')()).toBe(true);
    });

    test('by keys', async () => {
      await on.page.locator('.viewer-surface').focus();
      const { zoom } = await on.view();
      await on.page.keyboard.press('+');
      await becomes(on.view).toMatchObject({ zoom: expect.closeTo(zoom * 1.5, 9) });
      await on.page.keyboard.press('1');
      await becomes(on.view).toMatchObject({ zoom: 1 });
      const { x } = await on.view();
      await on.page.keyboard.press('ArrowRight');
      await becomes(on.view).toMatchObject({ x: expect.closeTo(x + 30 / 4, 9) });
      await on.page.keyboard.press('0');
      await becomes(on.view).toMatchObject({ zoom });
      await on.page.keyboard.press('-'); // smaller than all of it is of no use
      await on.page.keyboard.down('Space');
      await becomes(on.property('showsBefore')).toBe(true);
      await on.page.keyboard.up('Space');
      await becomes(on.property('showsBefore')).toBe(false);
      expect(await on.view()).toMatchObject({ zoom });
    });

    test('and tells it, once a frame', async () => {
      const told = await on.page.evaluate(async () => {
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
      await on.page.mouse.move(203, 220);
      await on.page.mouse.down();
      await on.page.mouse.move(83, 200, { steps: 2 });
      await becomes(on.property('slider')).toBeCloseTo(0.2, 9);
      await on.page.mouse.move(-50, 200);
      await on.page.mouse.up();
      await becomes(on.lastEvent).toEqual({ slider: 0 });
      expect(await on.property('slider')()).toBe(0);
    });

    test('has keys, and says where it is', async () => {
      const slider = on.page.getByRole('slider');
      await on.page.evaluate(() => dev.viewer.zoomTo(2));
      const still = await on.view();
      await slider.focus();
      const steps = { ArrowRight: '51', PageDown: '41', Home: '0', End: '100', ArrowLeft: '99' };
      for (const [key, value] of Object.entries(steps)) {
        await on.page.keyboard.press(key);
        await becomes(() => slider.getAttribute('aria-valuenow')).toBe(value);
      }
      expect(await slider.getAttribute('aria-valuetext')).toBe('99 percent before');
      expect(await on.view()).toEqual(still); // its arrows do not pan
      await on.page.keyboard.down('b');
      await becomes(on.property('showsBefore')).toBe(true);
      await on.pixels(); // drawn: what would be hidden now would let the key go
      expect(await on.property('showsBefore')()).toBe(true);
      await on.page.keyboard.up('b');
      await becomes(on.property('showsBefore')).toBe(false);
    });
  });

  test('the lens goes with the mouse, and by arrows', async () => {
    await on.set({ mode: 'lens' });
    await on.page.mouse.move(120, 90);
    await becomes(on.property('lens')).toMatchObject({ x: 0.3, y: 0.3 });
    await on.page.locator('.viewer-lens').focus();
    await on.page.keyboard.press('ArrowRight');
    await on.page.keyboard.press('Shift+ArrowDown');
    await becomes(on.property('lens')).toMatchObject({
      x: expect.closeTo(128 / WIDTH, 9),
      y: expect.closeTo(170 / HEIGHT, 9),
    });
  });

  describe('a region', () => {
    const region = on.property('region');
    const drag = async (from: [number, number], to: [number, number]): Promise<void> => {
      await on.page.mouse.move(...from);
      await on.page.mouse.down();
      await on.page.mouse.move(...to, { steps: 2 });
      await on.page.mouse.up();
    };
    const boxTop = async () => (await on.page.locator('.viewer-region').boundingBox())?.y;
    // 400 x 300 show 120 x 90 input pixels: ten of the canvas are three.
    test('is drawn, moved and resized by the mouse', async () => {
      await on.set({ tool: 'region', mode: 'single' });
      await drag([100, 100], [200, 160]);
      await becomes(region).toEqual({ x: 30, y: 30, width: 30, height: 18 });
      await becomes(on.lastEvent).toEqual({
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
      await on.set({ tool: 'region' });
      await on.page.locator('.viewer-surface').focus();
      await on.page.keyboard.press('Enter');
      await becomes(region).toEqual({ x: 30, y: 22, width: 60, height: 45 });
      await on.page.keyboard.press('ArrowLeft');
      await on.page.keyboard.press('Shift+ArrowUp');
      await becomes(region).toEqual({ x: 29, y: 12, width: 60, height: 45 });
      await on.page.keyboard.press('Tab');
      await on.page.keyboard.press('ArrowRight');
      await on.page.keyboard.press('Shift+ArrowDown');
      await becomes(region).toEqual({ x: 29, y: 12, width: 61, height: 55 });
      await on.page.keyboard.press('Escape');
      await becomes(region).toBeUndefined();
      await becomes(on.lastEvent).toEqual({ done: true });
    });
  });

  test('tiles under way are outlined over the result', async () => {
    await on.set({ mode: 'single', tiles: [{ x: 30, y: 0, width: 30, height: 45 }] });
    await on.page.waitForFunction(
      () => document.querySelector('.viewer-tile')?.getBoundingClientRect().width === 100,
    );
    const { x, y, height } = (await on.page.locator('.viewer-tile').boundingBox())!;
    expect([x, y, height]).toEqual([100, 0, 150]);
    await on.set({ tiles: [] });
    await on.page.waitForFunction(() => !document.querySelector('.viewer-tile'));
  });

  test('a fitted view fits when the canvas changes; others keep what they show', async () => {
    await on.page.setViewportSize({ width: 200, height: 300 });
    await on.page.waitForFunction(() => document.querySelector('canvas')?.width === 200);
    expect((await on.view()).zoom).toBeCloseTo(200 / 480, 12);
    await on.page.evaluate(() => dev.viewer.zoomTo(2));
    await on.page.setViewportSize({ width: WIDTH, height: HEIGHT });
    await on.page.waitForFunction(() => document.querySelector('canvas')?.width === 400);
    expect(await on.view()).toEqual({ x: 60, y: 45, zoom: 2 });
  });
});
