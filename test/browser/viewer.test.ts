/** demo/viewer in Chromium: what the canvas shows, pixel by pixel, on which device; what it refuses. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import type { Dev } from '../../demo/viewer/dev/main.ts';
import { inBrowsers } from '../harness/in-browsers.ts';
import { becomes, BLUE, GREEN, HEIGHT, onViewer, PICTURE, RED, WIDTH } from './viewer-tests.ts';

declare const dev: Dev;

inBrowsers((browser) => {
  const on = onViewer(browser);

  describe('shows', () => {
    test('the input left of the slider and the result from there on', async () => {
      await on.set({ slider: 0.25 });
      const at = await on.pixels();
      expect([at(99, 150), at(100, 150)]).toEqual([RED, GREEN]);
      await on.set({ showsBefore: true });
      expect((await on.pixels())(350, 150)).toEqual(RED);
      await on.set({ showsBefore: false, mode: 'single' });
      expect((await on.pixels())(50, 150)).toEqual(GREEN);
    });

    test('the input in the lens', async () => {
      await on.set({ mode: 'lens' });
      const at = await on.pixels();
      expect([at(200, 150), at(152, 150), at(247, 150)]).toEqual([RED, RED, RED]);
      expect([at(148, 150), at(252, 150), at(200, 98)]).toEqual([GREEN, GREEN, GREEN]);
    });

    test('both halves at the same place', async () => {
      await on.set({ mode: 'side' });
      const at = await on.pixels();
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
      expect(await on.visible()).toEqual({ x: 0, y: 0, ...PICTURE });
    });

    test('at 1:1 the very texels of the result, also after a move by parts of a pixel', async () => {
      await on.page.evaluate(({ width, height }) => {
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
      const at = await on.pixels();
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
        on.page.evaluate((zoom) => {
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
        const at = await on.pixels();
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
      await on.page.evaluate(({ width, height }) => {
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
      const at = await on.pixels();
      for (let i = 0; i < 40; i++) {
        const [x, y] = [7 * i + 3, 5 * i + 1];
        // Output pixel 0 of the canvas is 240 - 200, 180 - 150 of the picture. One step of 8 bits, for rounding.
        expect(Math.abs(at(x, y)[0]! - bicubic(x + 40, y + 30))).toBeLessThanOrEqual(1);
      }
      await on.set({ sampling: 'pixels' });
      const squares = await on.pixels();
      for (let i = 0; i < 40; i++) {
        const [x, y] = [7 * i + 3, 5 * i + 1];
        expect(squares(x, y)[0]).toBe(value((x + 40) >> 2, (y + 30) >> 2));
      }
    });

    test('the input where the result is still transparent', async () => {
      await on.page.evaluate(({ width, height }) => {
        dev.viewer.setImages({
          before: dev.texture(width, height, () => [255, 0, 0, 255]),
          after: dev.texture(width * 4, height * 4, (x) =>
            x < 240 ? [0, 255, 0, 255] : [0, 0, 0, 0],
          ),
          scale: 4,
        });
        dev.viewer.mode = 'single';
      }, PICTURE);
      const at = await on.pixels();
      expect([at(190, 150), at(210, 150)]).toEqual([GREEN, RED]);
    });

    test('parts of the result over the input, the later ones over the earlier ones', async () => {
      await on.page.evaluate(({ width, height }) => {
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
      await on.set({ slider: 0.55 });
      const at = await on.pixels();
      expect([at(219, 150), at(220, 150), at(249, 150)]).toEqual([RED, GREEN, GREEN]);
      expect([at(250, 149), at(299, 149), at(300, 149)]).toEqual([BLUE, BLUE, RED]);
      expect([at(250, 150), at(230, 99), at(230, 100)]).toEqual([GREEN, RED, GREEN]);
    });

    test('words at the corners of the picture, or around one that is too small for them', async () => {
      const show = (width: number, height: number): Promise<void> =>
        on.page.evaluate(
          ([width, height]) => {
            const texture = (scale: number): GPUTexture =>
              dev.texture(scale * width, scale * height, () => [255, 0, 0, 255]);
            dev.viewer.setImages({ before: texture(1), after: texture(4), scale: 4 });
          },
          [width, height] as const,
        );
      const corners = async (): Promise<readonly number[]> => {
        await on.pixels(); // drawn
        const before = await on.page.locator('.viewer-half-before .viewer-label').boundingBox();
        const after = await on.page.locator('.viewer-half-after .viewer-label').boundingBox();
        if (!before || !after) throw new Error('a label is not there');
        return [before.x, before.y + before.height, after.x + after.width];
      };
      // Four times as large as its result, in the middle: from 40, 70 to 360, 230; labels 12 inside.
      await show(20, 10);
      expect(await corners()).toEqual([52, 218, 348]);
      await on.set({ slider: 0.1 });
      await on.pixels();
      expect(await on.page.locator('.viewer-half-before .viewer-label').isVisible()).toBe(false);
      // 16 x 16, but 200 x 96 for words.
      await on.set({ slider: 0.5 });
      await show(1, 1);
      expect(await corners()).toEqual([112, 186, 288]);
    });

    test('of many parts those in view, and draws no others', async () => {
      const drawn = await on.page.evaluate(async ({ width, height }) => {
        const { viewer } = dev;
        const columns = [0, 1, 2, 3].map((i) => {
          const region = { x: 30 * i, y: 0, width: 30, height };
          return { texture: dev.texture(120, 4 * height, () => [0, 255, 0, 255]), region };
        });
        const before = dev.texture(width, height, () => [255, 0, 0, 255]);
        viewer.setImages({ before, parts: columns, scale: 4 });
        viewer.mode = 'single';
        let draws = 0;
        // oxlint-disable-next-line typescript/unbound-method -- called with the pass
        const { draw } = GPURenderPassEncoder.prototype;
        GPURenderPassEncoder.prototype.draw = function (...counts) {
          draws++;
          draw.apply(this, counts);
        };
        const seen: number[] = [];
        // At 4:1 the canvas shows 25 x 18.75 input pixels: within a column, across a border, everything.
        for (const view of [
          { x: 45, y: 45, zoom: 4 },
          { x: 60, y: 45, zoom: 4 },
          { x: 60, y: 45, zoom: 0 },
        ]) {
          viewer.view = view;
          draws = 0;
          await new Promise(requestAnimationFrame);
          seen.push(draws);
        }
        GPURenderPassEncoder.prototype.draw = draw;
        return seen;
      }, PICTURE);
      // One is the input.
      expect(drawn).toEqual([2, 3, 5]);
      const at = await on.pixels();
      expect([at(1, 150), at(398, 150)]).toEqual([GREEN, GREEN]);
    });

    test('parts that show what lies side by side as one texture', async () => {
      await on.page.evaluate(() => {
        const size = { width: 240, height: 180 };
        // Noise: any texel that a filter takes from elsewhere can be seen. No red, which is what lies below.
        const paint = (x: number, y: number): [number, number, number, number] => {
          const value = Math.imul(x + 977 * y, 0x9e3779b1) >>> 16;
          return [0, value & 255, value >> 8, 255];
        };
        const before = dev.texture(size.width, size.height, () => [255, 0, 0, 255]);
        const after = dev.texture(960, 720, paint);
        const parts = [0, 1, 2, 3].map((i) => {
          const [right, low] = [i % 2, i >> 1];
          const region = { x: 112 * right, y: 82 * low, width: 128, height: 98 };
          return {
            texture: dev.texture(512, 392, (x, y) => paint(x + 4 * region.x, y + 4 * region.y)),
            region,
            shows: { x: 120 * right, y: 90 * low, width: 120, height: 90 },
          };
        });
        Object.assign(globalThis, {
          asOne: () => dev.viewer.setImages({ before, after, scale: 4 }),
          inParts: () => dev.viewer.setImages({ before, parts, scale: 4 }),
        });
      });
      const canvas = async (how: string): Promise<number[]> => {
        await on.page.evaluate(`${how}()`);
        const at = await on.pixels();
        return Array.from({ length: WIDTH * HEIGHT }, (_, i) =>
          at(i % WIDTH, Math.floor(i / WIDTH)),
        ).flat();
      };
      const apart: number[] = [];
      for (const [mode, zoom] of [
        ['single', 0],
        ['single', 0.73],
        ['lens', 1],
        ['single', 4],
      ] as const) {
        await on.set({ mode, lens: { x: 0.5, y: 0.5, radius: 80, magnify: 3, shows: 'after' } });
        await on.page.evaluate('asOne()');
        await on.set({ view: { x: 120.3, y: 89.9, zoom } });
        const one = await canvas('asOne');
        const parts = await canvas('inParts');
        apart.push(one.reduce((most, value, i) => Math.max(most, Math.abs(value - parts[i]!)), 0));
      }
      // The same sums; places in textures of other sizes are rounded otherwise.
      expect(Math.max(...apart)).toBeLessThanOrEqual(1);
    });

    test('all device pixels of a screen with more of them', async () => {
      const context = await browser().newContext({
        viewport: { width: 200, height: 150 },
        deviceScaleFactor: 2,
      });
      const fine = await context.newPage();
      await fine.goto(`${on.url}?bare`);
      const size = () => fine.evaluate(() => document.querySelector('canvas')?.width);
      await becomes(size).toBe(400);
      // 192 input pixels, 768 of the result, in 400 device pixels.
      expect(await fine.evaluate(() => dev.viewer.view.zoom)).toBeCloseTo(400 / 768, 9);
      // This page wants motion: jumps glide, and arrive exactly.
      expect(await fine.evaluate(() => (dev.viewer.zoomTo(1), dev.viewer.view.zoom))).toBeLessThan(
        1,
      );
      await becomes(() => fine.evaluate(() => dev.viewer.view)).toEqual({
        x: 96,
        y: 64,
        zoom: 1,
      });
      await context.close();
    });
  });

  test('goes on with another device', async () => {
    await on.page.evaluate(async () => {
      const adapter = await navigator.gpu.requestAdapter();
      const device = await adapter!.requestDevice();
      dev.device.destroy();
      await dev.device.lost;
      dev.useDevice(device);
    });
    expect((await on.pixels())(200, 150)).toEqual([0, 0, 0, 0]);
    await on.page.evaluate(({ width, height }) => {
      dev.viewer.setImages({
        before: dev.texture(width, height, () => [255, 0, 0, 255]),
        scale: 4,
      });
    }, PICTURE);
    await becomes(async () => (await on.pixels())(200, 150)).toEqual(RED);
  });

  test('refuses textures that it cannot show', async () => {
    const said = await on.page.evaluate(() => {
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
    await on.page.evaluate(readFileSync(axe, 'utf8'));
    await on.set({ tool: 'region', region: { x: 10, y: 10, width: 30, height: 30 } });
    for (const mode of ['single', 'slider', 'lens', 'side'] as const) {
      await on.set({ mode });
      await on.pixels();
      const violations = await on.page.evaluate(
        'axe.run(".viewer").then(({ violations }) => violations.map(({ id, help }) => `${id}: ${help}`))',
      );
      expect(violations).toEqual([]);
    }
  });

  test('leaves nothing behind, and no error came up', async () => {
    await on.page.evaluate(() => dev.viewer.dispose());
    expect(await on.page.evaluate(() => document.querySelector('.viewer')?.childElementCount)).toBe(
      1,
    );
    expect(on.errors).toEqual([]);
  });
});
