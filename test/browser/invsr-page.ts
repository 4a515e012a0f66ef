/**
 * Class InvSR in a page, as applications use it: what invsr.test.ts calls from outside as `window.app`. Each
 * function is one situation, and gives what was seen as plain data.
 */
import { DeviceLostError, InvSR, openContext, readImage } from '../../src/index.ts';
import type { PageImage } from '../../src/engine/image-upload.ts';
import { openModel } from '../../src/invsr/model.ts';
import { TileNetworks, upscalePixels, withDefaults } from '../../src/rows.ts';
import { sourceOf } from '../../src/library/input.ts';
import type { ImageInput, LoadOptions, Progress, UpscaleOptions } from '../../src/library/types.ts';
import { textureOf } from '../harness/pictures.ts';
import { apart, canvasOf, imageOf, LARGE, SMALL } from './page-pictures.ts';
import { failure, openAdapter, openDevice, servedFolder } from './page.ts';
import type { ServedModel } from './site.ts';
import { alive, seen } from './spies.ts';

declare global {
  interface Window {
    app: typeof app;
  }
}

const OPTIONS = { tile: 16, seed: 7 } as const;

/** The result's bytes; the texture is freed. */
async function bytesOf(
  device: GPUDevice,
  sr: InvSR,
  input: ImageInput,
  options: UpscaleOptions = {},
): Promise<Uint8ClampedArray> {
  const texture = await sr.upscale(input, { ...OPTIONS, ...options });
  const { data } = await readImage(device, texture);
  texture.destroy();
  return data;
}

const open = (
  device: GPUDevice,
  model: ServedModel,
  options: Pick<LoadOptions, 'precision'> = {},
): Promise<InvSR> => InvSR.open({ device, weights: servedFolder(model), ...options });

/** In the second tile. */
const isMidway = (progress: Progress): boolean => progress.phase === 'run' && progress.done > 1.3;

/** Keeps the page busy for that long, then waits until `isTold`; false where it is not within seconds. */
async function block(milliseconds: number, isTold: () => boolean): Promise<boolean> {
  const wait = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 100));
  await wait();
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
  for (let i = 0; i < 50 && !isTold(); i++) await wait();
  return isTold();
}

/** One for all situations that leave it as it was: pipelines are compiled once per device. */
let shared: Promise<GPUDevice> | undefined;
const sharedDevice = (): Promise<GPUDevice> => (shared ??= openDevice());

/** How often devices are asked for news in 100 ms, once a look under way has had the time to end. */
async function asksLater(): Promise<number> {
  const wait = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 100));
  await wait();
  const { asks } = seen;
  await wait();
  return seen.asks - asks;
}

let ended: ReturnType<typeof failure> | undefined;

const app = {
  /** How often something was mapped between texture in and texture out, and how far the result is from that of upscalePixels. */
  async textureToTexture(model: ServedModel) {
    const device = await sharedDevice();
    const image = imageOf(SMALL);
    const input = textureOf(device, image);
    using sr = await open(device, model);
    seen.maps = 0;
    const output = await sr.upscale(input, OPTIONS);
    const { maps } = seen;
    const { data, width, height } = await readImage(device, output);

    const context = await openContext(device);
    const opened = await openModel(servedFolder(model));
    const options = withDefaults({ tile: OPTIONS.tile, colorFix: 'wavelet' }, context);
    const networks = new TileNetworks(context, opened, options);
    const picture = { ...SMALL, pixels: new Uint8Array(image.data) };
    const expected = await upscalePixels(networks, picture, { ...options, seed: OPTIONS.seed });
    return { maps, width, height, apart: apart(data, new Uint8ClampedArray(expected.pixels)) };
  },

  /** How far the values that reach the device are from those of Display-P3 images, and of one in sRGB. */
  async wideColours(): Promise<Record<string, number>> {
    const device = await openDevice();
    const engine = await openContext(device);
    const image = imageOf(SMALL);
    const { width, height } = image;
    const wide = new ImageData(image.data, width, height, { colorSpace: 'display-p3' });
    const canvas = new OffscreenCanvas(width, height);
    canvas.getContext('2d', { colorSpace: 'display-p3' })!.putImageData(wide, 0, 0);
    const of = async (input: PageImage, colorSpace?: PredefinedColorSpace): Promise<number> => {
      const size = { width, height };
      const from = { x: 0, y: 0, ...size };
      const copy = sourceOf(engine, input, from, colorSpace ? { colorSpace } : {});
      await copy.ready;
      const { data } = await readImage(device, copy.image);
      copy.free();
      return apart(data, image.data);
    };
    return {
      canvas: await of(canvas),
      ImageData: await of(wide),
      toSrgb: await of(canvas, 'srgb'),
      srgbToWide: await of(canvasOf(image), 'display-p3'),
    };
  },

  /** How far the results of images of the page are from that of a texture with the same values. */
  async inputs(model: ServedModel): Promise<Record<string, number>> {
    const device = await sharedDevice();
    const image = imageOf(SMALL);
    const canvas = canvasOf(image);
    const offscreen = new OffscreenCanvas(SMALL.width, SMALL.height);
    offscreen.getContext('2d')!.putImageData(image, 0, 0);
    const element = new Image();
    element.src = canvas.toDataURL('image/png');
    await element.decode();
    const video = new VideoFrame(canvas, { timestamp: 0 });
    const inputs: Record<string, ImageInput> = {
      ImageData: image,
      ImageBitmap: await createImageBitmap(image),
      HTMLCanvasElement: canvas,
      OffscreenCanvas: offscreen,
      HTMLImageElement: element,
      VideoFrame: video,
    };
    using sr = await open(device, model);
    const expected = await bytesOf(device, sr, textureOf(device, image));
    const differences: Record<string, number> = {};
    for (const [name, input] of Object.entries(inputs)) {
      const run = bytesOf(device, sr, input);
      if (input === video) video.close(); // copied by the call
      differences[name] = apart(await run, expected);
    }
    return differences;
  },

  /**
   * Aborts in the middle, in a task of its own as a button does: what was under way then, and at most while
   * the networks ran; what was submitted afterwards; and whether it can go on.
   */
  async abort(model: ServedModel) {
    const device = await sharedDevice();
    const input = textureOf(device, imageOf(LARGE));
    using sr = await open(device, model);
    const expected = await bytesOf(device, sr, input);
    const controller = new AbortController();
    let [submits, underWay, most] = [0, 0, 0];
    const run = sr.upscale(input, {
      ...OPTIONS,
      signal: controller.signal,
      onProgress(progress) {
        seen.submitted ??= () => (most = Math.max(most, seen.underWay));
        if (!isMidway(progress)) return;
        setTimeout(() => {
          if (controller.signal.aborted) return;
          ({ submits, underWay } = seen);
          controller.abort(new Error('enough'));
        });
      },
    });
    const error = await failure(run);
    seen.submitted = undefined;
    await device.queue.onSubmittedWorkDone();
    const later = seen.submits - submits;
    const again = await bytesOf(device, sr, input);
    return { error, later, underWay, most, apart: apart(again, expected) };
  },

  /** A picture that only a browser's WebGPU can copy. */
  async bitmap(model: ServedModel) {
    using sr = await open(await sharedDevice(), model);
    return failure(sr.upscale(await createImageBitmap(imageOf(SMALL)), OPTIONS));
  },

  /** Canvases without a context: how far their results are from transparent black's, and whether they can still have any. */
  async blankCanvas(model: ServedModel) {
    const device = await sharedDevice();
    using sr = await open(device, model);
    const element = document.createElement('canvas');
    const blank = [Object.assign(element, { width: 16, height: 16 }), new OffscreenCanvas(16, 16)];
    const expected = await bytesOf(device, sr, new ImageData(16, 16));
    const seenOf = async (canvas: HTMLCanvasElement | OffscreenCanvas) => ({
      apart: apart(await bytesOf(device, sr, canvas), expected),
      isFree: canvas.getContext('webgpu') !== null,
    });
    return await Promise.all(blank.map(seenOf)); // disposed of afterwards
  },

  /** Disposes of an instance after a run. Its objects that are left, and its account. */
  async dispose(model: ServedModel) {
    const device = await sharedDevice();
    const before = alive();
    const sr = await open(device, model);
    const output = await sr.upscale(imageOf(SMALL), OPTIONS);
    const during = alive().length;
    sr.dispose();
    await device.queue.onSubmittedWorkDone();
    output.destroy();
    const left = alive().filter((label) => !before.includes(label));
    const asks = await asksLater();
    const later = await failure(sr.upscale(imageOf(SMALL)));
    return { during, left, asks, memory: sr.memory, later };
  },

  /** Destroys the device in the middle of a run, then starts anew on another one. */
  async lost(model: ServedModel) {
    const device = await openDevice();
    const sr = await open(device, model);
    const run = sr.upscale(imageOf(LARGE), {
      ...OPTIONS,
      onProgress(progress) {
        if (isMidway(progress)) device.destroy();
      },
    });
    const isTyped = await run.then(
      () => false,
      (error: unknown) => error instanceof DeviceLostError,
    );
    const error = await failure(sr.upscale(imageOf(SMALL), OPTIONS));
    sr.dispose();
    const asks = await asksLater();

    const other = await openDevice();
    using recovered = await open(other, model);
    const bytes = await bytesOf(other, recovered, imageOf(SMALL));
    return { isTyped, error, asks, bytes: bytes.length };
  },

  /** Starts a run that the test ends by ending the browser's GPU process; `ended` tells its error. */
  async startForCrash(model: ServedModel): Promise<void> {
    const device = await openDevice();
    const sr = await open(device, model);
    await new Promise<void>((resolve) => {
      ended = failure(
        sr.upscale(imageOf(LARGE), {
          ...OPTIONS,
          onProgress: (progress) => isMidway(progress) && resolve(),
        }),
      );
      void ended.then(() => resolve());
    });
  },

  /** The error of the run, and the size of a result on a new device. */
  async afterCrash(model: ServedModel) {
    const error = await ended;
    const device = await openDevice();
    using sr = await open(device, model);
    return { error, bytes: (await bytesOf(device, sr, imageOf(SMALL))).length };
  },

  /** Two instances at the same time, against one alone. */
  async two(model: ServedModel): Promise<number[]> {
    const device = await sharedDevice();
    using first = await open(device, model);
    using second = await open(device, model);
    const input = textureOf(device, imageOf(SMALL));
    const expected = await bytesOf(device, first, input);
    const both = await Promise.all([bytesOf(device, first, input), bytesOf(device, second, input)]);
    return both.map((bytes) => apart(bytes, expected));
  },

  /** A device with WebGPU's default limits, and of its features the one that decides the precision. */
  async smallLimits(model: ServedModel): Promise<number> {
    const device = await sharedDevice();
    using sr = await open(device, model);
    const expected = await bytesOf(device, sr, imageOf(SMALL));
    const adapter = await openAdapter();
    const requiredFeatures = (['shader-f16'] as const).filter((name) => adapter.features.has(name));
    const small = await adapter.requestDevice({ requiredFeatures });
    using limited = await open(small, model);
    return apart(await bytesOf(small, limited, imageOf(SMALL)), expected);
  },

  /** The caller's own frames on the same device while a run is on. */
  async renderLoop(model: ServedModel) {
    const device = await sharedDevice();
    const canvas = document.createElement('canvas');
    document.body.append(canvas);
    const context = canvas.getContext('webgpu')!;
    context.configure({ device, format: navigator.gpu.getPreferredCanvasFormat() });
    using sr = await open(device, model);
    await sr.prepare(LARGE, OPTIONS);
    const input = textureOf(device, imageOf(LARGE));
    await bytesOf(device, sr, input); // compiles what depends on the image

    /** Submits of ours that each frame had to wait for, and submits in all, while the networks ran. */
    const ahead: number[] = [];
    let [underWay, submits] = [0, 0];
    const submitted = (): void => {
      underWay++;
      submits++;
      void device.queue.onSubmittedWorkDone().then(() => underWay--);
    };
    const longTasks: number[] = [];
    const observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) longTasks.push(duration);
    });
    observer.observe({ type: 'longtask' });
    const canSeeLongTasks =
      PerformanceObserver.supportedEntryTypes.includes('longtask') && // Firefox has no such entries
      (await block(60, () => longTasks.length > 0));
    longTasks.length = 0;
    let isOn = true;
    const draw = (time: number): void => {
      if (!isOn) return;
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginRenderPass({
        colorAttachments: [
          {
            view: context.getCurrentTexture().createView(),
            clearValue: [(time / 1000) % 1, 0, 0, 1],
            loadOp: 'clear',
            storeOp: 'store',
          },
        ],
      });
      pass.end();
      const ours = seen.submitted;
      if (ours) ahead.push(underWay);
      seen.submitted = undefined;
      device.queue.submit([encoder.finish()]);
      seen.submitted = ours;
      requestAnimationFrame(draw);
    };
    requestAnimationFrame(draw);
    const onProgress = (): void => void (seen.submitted ??= submitted);
    await sr.upscale(input, { ...OPTIONS, budgetMs: 20, onProgress });
    await device.queue.onSubmittedWorkDone();
    isOn = false;
    seen.submitted = undefined;
    observer.disconnect();
    return { ahead, submits, longTasks, canSeeLongTasks };
  },

  /** Where there is no WebGPU: what calls say. */
  async without(model: ServedModel) {
    return failure(
      InvSR.open({ device: undefined as unknown as GPUDevice, weights: servedFolder(model) }),
    );
  },
};

window.app = app;
