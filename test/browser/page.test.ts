/**
 * The page before anything is computed: what people meet first, files that are no photos, no WebGPU, no
 * network, models; without violations of axe-core in every state. Screenshots go to .cache/page-shots.
 */
import type { BrowserContextOptions, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { errorsOf } from '../harness/browsers.ts';
import { drop, give, openPage, serveDemoPage, shoot, violations } from '../harness/demo-page.ts';
import { inBrowsers } from '../harness/in-browsers.ts';
import type { Served } from '../harness/serve.ts';

const PHONE: BrowserContextOptions = {
  viewport: { width: 390, height: 844 },
  deviceScaleFactor: 2,
  isMobile: true,
  hasTouch: true,
};

let served: Served;
beforeAll(async () => {
  served = await serveDemoPage();
});
afterAll(() => served?.close());

inBrowsers((browser) => {
  const open = (options: BrowserContextOptions = {}): Promise<Page> =>
    openPage(browser(), served.url, options);

  test.each([
    ['light', {}],
    ['dark', { colorScheme: 'dark' }],
    ['phone', PHONE],
    ['phone dark', { ...PHONE, colorScheme: 'dark' }],
  ] as const)('the first screen, %s', async (name, options) => {
    const page = await open(options);
    await using _ = page.context();
    await page.getByRole('heading', { level: 1 }).waitFor();
    await shoot(page, `welcome ${name}`);
    expect(await violations(page)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(
      page.viewportSize()?.width,
    );
  });

  test('the first screen by keyboard: about, a photo, our photos, the comparison', async () => {
    const page = await open();
    await using _ = page.context();
    const slider = page.getByRole('slider');
    await slider.waitFor(); // the last of what Tab reaches
    const names: (string | undefined)[] = [];
    for (let i = 0; i < 5; i++) {
      await page.keyboard.press('Tab');
      names.push(
        await page.evaluate(() => {
          const at = document.activeElement;
          return (at?.getAttribute('aria-label') ?? at?.textContent)?.trim();
        }),
      );
    }
    expect(names).toEqual([
      'About this device',
      'Choose a photo',
      'Still life',
      'Garden',
      'Compare before and after',
    ]);
    const before = await slider.inputValue();
    await page.keyboard.press('ArrowLeft');
    expect(Number(await slider.inputValue())).toBe(Number(before) - 1);
  });

  test('files that are no photos are told, and the page goes on', async () => {
    const page = await open();
    await using _ = page.context();
    const errors = errorsOf(page);
    const heic = Buffer.concat([
      Buffer.from([0, 0, 0, 24]),
      Buffer.from('ftypheic\0\0\0\0mif1heic'),
    ]);
    for (const [name, type, bytes, said] of [
      [
        'notes.pdf',
        'application/pdf',
        Buffer.from('%PDF-1.7 nothing'),
        /“notes.pdf” is not a picture/,
      ],
      ['IMG_1.HEIC', '', heic, /cannot read HEIC photos.*Save it as JPEG/],
      ['broken.jpg', 'image/jpeg', Buffer.from('\xff\xd8\xff\xe0 half', 'latin1'), /is damaged/],
      ['empty.png', 'image/png', Buffer.alloc(0), /“empty.png” is empty/],
    ] as const) {
      await drop(page, name, type, bytes);
      await expect.poll(() => page.getByRole('alert').textContent()).toMatch(said);
    }
    await shoot(page, 'wrong file');
    expect(await violations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Dismiss' }).click();
    const photo = await sharp({
      create: { width: 40, height: 30, channels: 3, background: '#3080c0' },
    })
      .jpeg()
      .toBuffer();
    await drop(page, 'sea.jpg', 'image/jpeg', photo);
    await page.getByText('40 × 30 → 160 × 120').waitFor();
    expect(await page.getByRole('alert').textContent()).toBe('');
    expect(errors).toEqual([]);
  });

  test.each([
    ['light', {}],
    ['phone dark', { ...PHONE, colorScheme: 'dark' }],
  ] as const)('with a photo, its dialogs and settings, %s', async (name, options) => {
    const page = await open({ reducedMotion: 'reduce', ...options });
    await using _ = page.context();
    // No hub: what is said then is part of the page.
    await page.route(/huggingface/, (route) => route.abort());
    await drop(
      page,
      'sea.png',
      'image/png',
      await sharp('examples/images/garden-lr.png').toBuffer(),
    );
    await page.getByText('192 × 128 → 768 × 512').waitFor();
    const settings = page.getByRole('button', { name: 'Settings', exact: true });
    if (await settings.isVisible()) await settings.click();
    await page.getByText('More', { exact: true }).click();
    expect(await violations(page)).toEqual([]);
    for (const [opener, title] of [
      [/^Model/, 'Model'],
      ['About this device', 'This device'],
    ] as const) {
      await page.getByRole('button', { name: opener }).click();
      await page.getByRole('dialog', { name: title }).waitFor();
      // SwiftShader has no half precision.
      const said = title === 'Model' ? /cannot be reached/ : /no half precision/;
      await page.getByText(said).waitFor();
      await shoot(page, `${title} ${name}`);
      expect(await violations(page)).toEqual([]);
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
    }
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(
      page.viewportSize()?.width,
    );
  });

  test('of two photos the later one stays, whichever is decoded first; a pasted one counts too', async () => {
    const page = await open();
    await using _ = page.context();
    await page.evaluate(() => {
      const decode = createImageBitmap as (file: Blob, how: object) => Promise<ImageBitmap>;
      const gate = new Promise<void>((goOn) => Object.assign(globalThis, { goOn }));
      const slowly = async (file: Blob, how: object): Promise<ImageBitmap> => {
        const isSlow = file instanceof File && file.name === 'slow.png';
        if (isSlow) await gate;
        const bitmap = await decode(file, how);
        const close = (): void => void (document.documentElement.dataset['closed'] = 'true');
        return isSlow ? Object.assign(bitmap, { close }) : bitmap;
      };
      Object.assign(globalThis, { createImageBitmap: slowly });
    });
    const photo = await sharp('examples/images/garden-lr.png').toBuffer();
    await drop(page, 'slow.png', 'image/png', photo);
    await give(page, 'paste', 'quick.png', 'image/png', photo);
    await page.getByRole('heading', { name: 'quick' }).waitFor();
    await page.evaluate('goOn()');
    await page.locator('html[data-closed]').waitFor();
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('quick');
    expect(await page.getByRole('alert').textContent()).toBe('');
  });

  test('files that are no model are told', async () => {
    const page = await open();
    await using _ = page.context();
    await drop(page, 'model.safetensors', '', Buffer.from('not a header'));
    await expect
      .poll(() => page.getByRole('alert').textContent())
      .toMatch(/^The model cannot be used/);
  });

  test('without WebGPU: which browsers have it', async () => {
    const context = await browser().newContext({ serviceWorkers: 'block' });
    await using _ = context;
    const page = await context.newPage();
    await page.addInitScript(() =>
      Object.defineProperty(navigator, 'gpu', { value: undefined, configurable: true }),
    );
    await page.goto(served.url);
    await page.getByText('This browser has no WebGPU yet').waitFor();
    expect(await page.getByRole('listitem').allTextContents()).toEqual(
      expect.arrayContaining([expect.stringMatching(/^Chrome and Edge 113/)]),
    );
    await shoot(page, 'no WebGPU');
    expect(await violations(page)).toEqual([]);
  });

  test('no adapter: what to switch on; another failure: what it was, and the way to try again', async () => {
    const context = await browser().newContext({ serviceWorkers: 'block' });
    await using _ = context;
    const page = await context.newPage();
    await page.addInitScript(() =>
      Object.defineProperty(navigator.gpu, 'requestAdapter', {
        value: async () => {
          if (location.hash) throw new Error('the driver is asleep');
          return null;
        },
      }),
    );
    await page.goto(served.url);
    await page.getByText('No graphics card can be used').waitFor();
    expect(await violations(page)).toEqual([]);
    const errors = errorsOf(page);
    await page.goto(`${served.url}?#failing`);
    await page.getByText('the driver is asleep').waitFor();
    await page.getByRole('button', { name: 'Try again' }).waitFor();
    await shoot(page, 'not started');
    expect(await violations(page)).toEqual([]);
    expect(errors).toEqual([]);
  });

  test('offline, after one visit, it opens with its model', async () => {
    const own = await serveDemoPage();
    await using context = await browser().newContext();
    const page = await context.newPage();
    try {
      await page.goto(own.url);
      await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
      await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
    } finally {
      await own.close();
    }
    await page.reload();
    await page.getByRole('button', { name: 'Choose a photo' }).waitFor();
    await context.setOffline(true);
    await page.getByText('Offline', { exact: true }).waitFor();
    await shoot(page, 'offline');
    expect(await violations(page)).toEqual([]);
    const weights = await page.evaluate(async () => {
      const answer = await fetch('weights/invsr-nano/unet/diffusion_pytorch_model.safetensors');
      return (await answer.arrayBuffer()).byteLength;
    });
    expect(weights).toBeGreaterThan(1e6);
    const missing = await page.evaluate(() => fetch('not-there').then(() => '', String));
    expect(missing).toMatch(/Failed to fetch/);
    const photo = await sharp('examples/images/garden-lr.png').toBuffer();
    await drop(page, 'garden.png', 'image/png', photo);
    await page.getByRole('button', { name: /^Model/ }).click();
    await page.getByText('There is no connection, and SD-Turbo comes over the network.').waitFor();
  });
});
