/** A page that runs InvSR in a worker; worker.test.ts drives it by the functions on `globalThis`. */
import { InvSR } from '../../src/library/invsr.ts';
import { readImage } from '../../src/library/read-image.ts';
import { requiredDevice } from '../../src/engine/device.ts';
import { blobFolder } from '../../src/weights/folder.ts';
import { InvSRWorker, type WorkerLoadOptions } from '../../src/worker.ts';

const WEIGHTS = new URL('weights/invsr-nano/', location.href);
/** Small, so that SwiftShader is soon done. */
const OPTIONS = { tile: 16, seed: 3 } as const;

const open = (weights: WorkerLoadOptions['weights'] = WEIGHTS): Promise<InvSRWorker> =>
  InvSRWorker.open({ weights, worker: new Worker('blind-worker.js', { type: 'module' }) });

/** A gradient of 16 rows: 24 pixels wide it has two tiles, 16 pixels wide one. */
function picture(width = 24): ImageData {
  const image = new ImageData(width, 16);
  for (let i = 0; i < image.data.length; i += 4) {
    image.data.set([(i * 7) % 256, (i * 3) % 256, (i >> 3) % 256, 255], i);
  }
  return image;
}

/** What a bitmap or canvas shows, in that colour space. */
function bytesOf(
  source: CanvasImageSource & { width: number; height: number },
  colorSpace: PredefinedColorSpace = 'srgb',
): number[] {
  const canvas = new OffscreenCanvas(source.width, source.height);
  const context = canvas.getContext('2d', { colorSpace });
  context?.drawImage(source, 0, 0);
  return [...(context?.getImageData(0, 0, source.width, source.height).data ?? [])];
}

const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'no error',
    (error: unknown) => error,
  );

/** Compiled once for all. */
let shared: Promise<InvSRWorker> | undefined;

/** The values of the small picture's result. */
let expected: Promise<number[]> | undefined;
const expectedBytes = (sr: InvSRWorker): Promise<number[]> =>
  (expected ??= sr.upscale(picture(16), OPTIONS).then((bitmap) => bytesOf(bitmap)));

/** The result as an ImageBitmap, and by InvSR on the page. */
async function images() {
  const sr = await (shared ??= open());
  const phases = new Set<string>();
  const onProgress = ({ phase }: { readonly phase: string }): void => void phases.add(phase);
  const bitmap = await sr.upscale(picture(), { ...OPTIONS, onProgress });

  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) throw new Error('no adapter');
  const device = await adapter.requestDevice(requiredDevice(adapter));
  using own = await InvSR.open({ device, weights: WEIGHTS });
  const { data } = await readImage(device, await own.upscale(picture(), OPTIONS));
  const { tile } = OPTIONS;
  const plans = await Promise.all([sr, own].map((one) => one.plan(picture(), { tile })));
  return {
    phases: [...phases],
    memory: sr.memory,
    plans,
    size: [bitmap.width, bitmap.height],
    bitmap: bytesOf(bitmap),
    page: [...data],
  };
}

const element = document.createElement('canvas');

/** The result drawn into a canvas of the page, twice. */
async function drawn() {
  const sr = await (shared ??= open());
  document.body.append(element);
  const canvas = element.transferControlToOffscreen();
  const tiles: unknown[] = [];
  const onTile = (tile: unknown): void => void tiles.push(tile);
  await sr.upscale(await createImageBitmap(picture()), { ...OPTIONS, canvas, onTile });
  const again = await sr.upscale(picture(), { ...OPTIONS, canvas });
  return { tiles, again };
}

/** What that canvas shows by now: browsers take their time. */
const shown = () => ({ size: [element.width, element.height], bytes: bytesOf(element) });

/** Aborted when the networks have begun; then a call that is not. */
async function abort() {
  const sr = await (shared ??= open());
  const stop = new AbortController();
  const onProgress = ({ phase }: { readonly phase: string }): void => {
    if (phase === 'run') stop.abort('enough');
  };
  const aborted = await failure(
    sr.upscale(picture(), { ...OPTIONS, signal: stop.signal, onProgress }),
  );
  const { width } = await sr.upscale(picture(), OPTIONS);
  return { aborted, width };
}

/** Whether what is closed or overwritten right after the call gives what it had given. */
async function copied() {
  const sr = await (shared ??= open());
  const image = picture(16);
  const canvas = new OffscreenCanvas(16, 16);
  canvas.getContext('2d')?.putImageData(image, 0, 0);
  const bitmap = await createImageBitmap(image);
  const frame = new VideoFrame(canvas, { timestamp: 0 });
  const calls = [image, bitmap, frame].map((input) => sr.upscale(input, OPTIONS));
  image.data.fill(0);
  bitmap.close();
  frame.close();
  const values = (await expectedBytes(sr)).join();
  return (await Promise.all(calls)).map((result) => bytesOf(result).join() === values);
}

/**
 * How far the results of a picture in Display-P3 are from its values, looked at in Display-P3 and in sRGB: from
 * the worker, and where its canvases have no WebGPU.
 */
async function wide() {
  const sr = await (shared ??= open());
  const channel = new BroadcastChannel('blind');
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- no window's
  const tell = (isBlind: boolean): void => channel.postMessage(isBlind);
  const values = await expectedBytes(sr);
  const image = new ImageData(picture(16).data, 16, 16, { colorSpace: 'display-p3' });
  const apart = (bytes: readonly number[]): number =>
    Math.max(...bytes.map((value, i) => Math.abs(value - (values[i] ?? NaN))));
  const differences = [];
  for (const isBlind of [false, true]) {
    tell(isBlind); // canvases come at the end of the call
    const result = await sr.upscale(image, OPTIONS);
    differences.push({ p3: apart(bytesOf(result, 'display-p3')), srgb: apart(bytesOf(result)) });
  }
  tell(false);
  channel.close();
  return differences;
}

/** Files of a folder, as dropped or stored ones, are read by the worker. */
async function files() {
  const names = ['unet', 'vae', 'noise_predictor'].flatMap((part) => [
    `${part}/config.json`,
    `${part}/diffusion_pytorch_model.safetensors`,
  ]);
  const all = [...names, 'scheduler/scheduler_config.json', 'prompt_embeds.safetensors'];
  const fetched = all.map(async (path) => {
    const response = await fetch(new URL(path, WEIGHTS));
    return [path, await response.blob()] as const;
  });
  using sr = await open(blobFolder('dropped', new Map(await Promise.all(fetched))));
  return sr instanceof InvSRWorker;
}

async function errors() {
  const sr = await (shared ??= open());
  const region = { x: 20, y: 0, width: 16, height: 16 };
  const missing = await failure(open(new URL('nothing/', location.href)));
  return [await failure(sr.upscale(picture(), { ...OPTIONS, region })), missing].map((error) =>
    error instanceof Error
      ? { type: error.constructor.name, name: error.name, message: error.message }
      : error,
  );
}

/** Canvases without a context: whether they give what transparent black does, and can still have any context. */
async function canvases() {
  const sr = await (shared ??= open());
  const of = async (input: ImageData | HTMLCanvasElement | OffscreenCanvas): Promise<string> =>
    bytesOf(await sr.upscale(input, OPTIONS)).join();
  const element = document.createElement('canvas');
  const blank = [Object.assign(element, { width: 16, height: 16 }), new OffscreenCanvas(16, 16)];
  const expected = await of(new ImageData(16, 16));
  return Promise.all(
    blank.map(async (canvas) => ({
      isAsShown: (await of(canvas)) === expected,
      isFree: canvas.getContext('webgpu') !== null,
    })),
  );
}

Object.assign(globalThis, { images, drawn, shown, abort, copied, wide, files, errors, canvases });
