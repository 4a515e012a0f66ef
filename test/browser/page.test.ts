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
import { middleOf, RUN_MS } from '../harness/photo-page.ts';
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
      ['letter.jpg', 'image/jpeg', Buffer.from('Dear all,'), /“letter.jpg” is not a picture/],
      [
        'logo.svg',
        'image/svg+xml',
        Buffer.from('<svg xmlns="…"/>'),
        /a drawing.*sharp at any size/,
      ],
      ['scan.tif', 'image/tiff', Buffer.from('II*\0'), /cannot read pictures such as “scan.tif”/],
      ['empty.png', 'image/png', Buffer.alloc(0), /“empty.png” is empty/],
    ] as const) {
      await drop(page, name, type, bytes);
      await expect.poll(() => page.getByRole('alert').textContent()).toMatch(said);
    }
    await page.evaluate(() => {
      const dataTransfer = new DataTransfer();
      dataTransfer.setData('text/uri-list', 'https://example.org/cat.jpg');
      dispatchEvent(new DragEvent('drop', { dataTransfer, cancelable: true }));
    });
    await page.getByRole('alert').getByText('That was no file').waitFor();
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

  test('photos of every kind: their size, and their colours in sRGB', async () => {
    // A small window: SwiftShader draws it.
    const page = await open({ reducedMotion: 'reduce', viewport: { width: 480, height: 400 } });
    await using _ = page.context();
    const errors = errorsOf(page);
    // Nothing is to be computed: the model is on its way for ever.
    await page.route('**/weights/**', () => {});
    const background = { r: 200, g: 60, b: 60 };
    const plain = (width: number, height: number, channels: 3 | 4 = 3) =>
      sharp({ create: { width, height, channels, background } });
    // A red frame, then a blue one.
    const frames = sharp(
      Buffer.from(Array.from({ length: 800 }, (_, i) => [i < 400 ? 200 : 0, 0, 90]).flat()),
      { raw: { width: 20, height: 40, channels: 3, pageHeight: 20 } },
    );
    const photos: readonly (readonly [string, string, Promise<Buffer>, string])[] = [
      ['p3.jpg', 'image/jpeg', plain(40, 30).withIccProfile('p3').jpeg().toBuffer(), '40 × 30'],
      ['cmyk.jpg', 'image/jpeg', plain(41, 30).toColourspace('cmyk').jpeg().toBuffer(), '41 × 30'],
      ['deep.png', 'image/png', plain(42, 30).toColourspace('rgb16').png().toBuffer(), '42 × 30'],
      ['alpha.png', 'image/png', plain(43, 30, 4).ensureAlpha(0.5).png().toBuffer(), '43 × 30'],
      ['grey.png', 'image/png', plain(44, 30).greyscale().png().toBuffer(), '44 × 30'],
      ['few.png', 'image/png', plain(45, 30).png({ palette: true }).toBuffer(), '45 × 30'],
      ['a.avif', 'image/avif', plain(46, 30).avif().toBuffer(), '46 × 30'],
      ['moving.gif', 'image/gif', frames.clone().gif().toBuffer(), '20 × 20'],
      ['moving.webp', 'image/webp', frames.clone().webp({ lossless: true }).toBuffer(), '20 × 20'],
      ['dot.png', 'image/png', plain(1, 1).png().toBuffer(), '1 × 1'],
    ];
    for (const [name, type, making, size] of photos) {
      const bytes = await making;
      await drop(page, name, type, bytes);
      await page.getByRole('heading', { name: name.replace(/\..*/, ''), exact: true }).waitFor();
      await page.getByText(`${size} → `).waitFor();
      // Of the first frame, by its profile. Inks without one are anybody's guess, but not the inverse.
      const tolerance = name === 'cmyk.jpg' ? 48 : 6;
      const { data } = await sharp(bytes)
        .toColourspace('srgb')
        .removeAlpha()
        .raw()
        .toBuffer({ resolveWithObject: true });
      const expected = [0, 1, 2].map((i) => data[i] ?? Number.NaN);
      await expect
        .poll(
          async () => {
            const seen = Buffer.from((await middleOf(page)).slice(1), 'hex');
            return Math.max(...[...seen].map((value, i) => Math.abs(value - (expected[i] ?? 0))));
          },
          { message: name },
        )
        .toBeLessThanOrEqual(tolerance);
    }
    // Through the dialog.
    const choosing = page.waitForEvent('filechooser');
    await page.keyboard.press('Control+o');
    const buffer = await plain(6000, 40).png().toBuffer();
    await (await choosing).setFiles({ name: 'wide.png', mimeType: 'image/png', buffer });
    await page.getByText('6000 × 40 → 24000 × 160').waitFor();
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

  const LINUX = 'Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0';
  test.each([
    ['which browsers have it', {}, 'This browser has no WebGPU yet', /^Chrome and Edge 113/],
    [
      'what to switch on in Firefox on Linux',
      { userAgent: LINUX },
      'WebGPU is off in this browser',
      /^This Firefox.*dom\.webgpu\.enabled/,
    ],
  ] as const)('without WebGPU: %s', async (name, options, title, fact) => {
    const context = await browser().newContext({ serviceWorkers: 'block', ...options });
    await using _ = context;
    const page = await context.newPage();
    await page.addInitScript(() =>
      Object.defineProperty(navigator, 'gpu', { value: undefined, configurable: true }),
    );
    await page.goto(served.url);
    await page.getByRole('heading', { name: title }).waitFor();
    expect(await page.getByRole('listitem').allTextContents()).toEqual(
      expect.arrayContaining([expect.stringMatching(fact)]),
    );
    await shoot(page, `no WebGPU, ${name}`);
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

  test('offline, after one visit to a folder of a strict server, it opens and sharpens; nothing came twice', async () => {
    const own = await serveDemoPage({
      path: 'photos/sharpen/',
      headers: {
        'Cache-Control': 'max-age=600', // as GitHub Pages
        // Colours and arrows of the style sheet are pictures in it. No other headers are asked for.
        'Content-Security-Policy':
          "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' https://huggingface.co; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      },
    });
    await using context = await browser().newContext();
    const page = await context.newPage();
    const photo = await sharp('examples/images/garden-lr.png').resize(32, 24).png().toBuffer();
    // Of the build before; of pages in other folders.
    const others = ['sharpen/-0123456789ab', '-0123456789ab', 'sharpen/-old/-0123456789ab'].map(
      (name) => `invsr-page-/photos/${name}`,
    );
    const errors = errorsOf(page);
    try {
      await page.goto(own.url);
      await page.evaluate(async (names) => {
        for (const name of names) await caches.open(name);
      }, others);
      // The model, which the page asks for with the first photo.
      await page.evaluate(async () => {
        const folder = new URL('weights/invsr-nano/', document.baseURI);
        const load = async (name: string) => (await fetch(new URL(name, folder))).blob();
        const { files } = JSON.parse(await (await load('invsr-manifest.json')).text()) as {
          files: object;
        };
        await Promise.all(Object.keys(files).map(load));
      });
      await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
      const kept = await page.evaluate(() => caches.keys());
      expect(kept.filter((name) => others.includes(name))).toEqual(others.slice(1));
      // Each file once is 3.4 MB, all of them twice are 6.7.
      expect(own.traffic().bytes).toBeLessThan(5e6);
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
    await drop(page, 'garden.png', 'image/png', photo);
    await page.getByRole('button', { name: /^Model/ }).click();
    await page.getByText('There is no connection, and SD-Turbo comes over the network.').waitFor();
    await page.keyboard.press('Escape');
    // What the policy forbids would be among them; what is not there is.
    expect(errors.filter((text) => !/net::ERR_(?:FAILED|INTERNET)/.test(text))).toEqual([]);
    await page.getByText('More', { exact: true }).click();
    await page.getByLabel('Tile').selectOption('32 × 32');
    await page.getByRole('button', { name: 'Sharpen', exact: true }).click();
    await expect
      .poll(() => page.getByRole('status').textContent(), { timeout: RUN_MS })
      .toMatch(/^Done in /);
  });
});
