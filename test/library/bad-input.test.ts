/** What InvSR refuses, one by one: the type of the error and what its sentence says. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { DeviceError } from '../../src/engine/errors.ts';
import type { ImageBuffer, ImageSize } from '../../src/engine/gpu-image.ts';
import { type Model, openModel } from '../../src/invsr/model.ts';
import { ImageSizeError } from '../../src/invsr/errors.ts';
import { InvSR } from '../../src/library/invsr.ts';
import { readImage } from '../../src/library/read-image.ts';
import type { ImageInput, NetworkOptions, UpscaleOptions } from '../../src/library/types.ts';
import { nodeFolder } from '../../src/weights/node-file.ts';
import { adapterNames, openTestDevice } from '../harness/device.ts';
import { picture, textureOf } from '../harness/pictures.ts';

describe.each(adapterNames.slice(-1))('%s', (adapter) => {
  let device: GPUDevice;
  let model: Model;
  let sr: InvSR;
  const leaked: string[] = [];
  const made: { destroy(): void }[] = [];
  const image = picture(8, 6);
  beforeAll(async () => {
    ({ device } = await openTestDevice(adapter));
    device.onuncapturederror = ({ error }) => void leaked.push(error.message);
    model = await openModel(nodeFolder('weights/invsr-nano'));
    sr = await InvSR.open({ device, weights: model });
  });
  afterEach(async () => {
    for (const one of made.splice(0)) one.destroy();
    await device.queue.onSubmittedWorkDone();
    expect(leaked).toEqual([]);
    // Nothing was begun, so nothing is there.
    expect(sr.memory).toEqual({ weightBytes: 0, otherBytes: 0, peakBytes: expect.any(Number) });
  });
  afterAll(async () => {
    sr.dispose();
    await model.close();
    device.destroy();
  });

  const keep = <T extends { destroy(): void }>(one: T): T => {
    made.push(one);
    return one;
  };
  const texture = (descriptor: Partial<GPUTextureDescriptor> = {}): GPUTexture =>
    keep(
      device.createTexture({
        size: [8, 6],
        format: 'rgba8unorm',
        usage: GPUTextureUsage.TEXTURE_BINDING | GPUTextureUsage.RENDER_ATTACHMENT,
        ...descriptor,
      }),
    );
  const bufferImage = (bytes: number, rest: Partial<ImageBuffer> = {}): ImageBuffer => ({
    buffer: keep(device.createBuffer({ size: bytes, usage: GPUBufferUsage.STORAGE })),
    width: 8,
    height: 6,
    format: 'rgba8unorm',
    ...rest,
  });
  const refused = async (
    input: unknown,
    options: UpscaleOptions<never> | object,
    type: new (...args: never[]) => Error,
    text: RegExp,
  ): Promise<void> => {
    const run = sr.upscale(input as ImageInput, { tile: 16, ...options });
    const error: unknown = await run.catch((e: unknown) => e);
    expect(error).toBeInstanceOf(type);
    expect((error as Error).message).toMatch(text);
    expect((error as Error).message).not.toMatch(/\[object/);
  };

  test('no image', async () => {
    await refused(undefined, {}, TypeError, /input is undefined, expected a texture/);
    await refused(null, {}, TypeError, /input is null/);
    await refused('photo.jpg', {}, TypeError, /input is string/);
    await refused({}, {}, TypeError, /input is object/);
    await refused({ width: 0, height: 3, data: new Uint8Array() }, {}, RangeError, /0x3/);
    await refused({ ...image, width: 9 }, {}, RangeError, /192 bytes, expected 216/);
  });

  test('a picture counts by what is in its file, not by its layout', async () => {
    const size = { width: 40, height: 30 };
    const laidOut = { width: 300, height: 150 };
    const expected = await sr.plan(size, { tile: 16 });
    for (const sides of [
      { naturalWidth: 40, naturalHeight: 30, ...laidOut },
      { videoWidth: 40, videoHeight: 30, ...laidOut },
      { displayWidth: 40, displayHeight: 30 },
    ]) {
      expect(await sr.plan(sides as ImageInput, { tile: 16 })).toEqual(expected);
    }
    const notLoaded = { naturalWidth: 0, naturalHeight: 0, ...laidOut } as HTMLImageElement;
    for (const call of [sr.plan(notLoaded), sr.prepare(notLoaded)]) {
      await expect(call).rejects.toThrow(RangeError);
      await expect(call).rejects.toThrow(/^the input is 0x0/);
    }
    await expect(sr.plan({} as ImageSize)).rejects.toThrow(TypeError);
  });

  test('textures that cannot be read', async () => {
    const { RENDER_ATTACHMENT, TEXTURE_BINDING } = GPUTextureUsage;
    await refused(
      texture({ usage: RENDER_ATTACHMENT }),
      {},
      TypeError,
      /input has no usage TEXTURE_BINDING/,
    );
    await refused(texture({ sampleCount: 4 }), {}, TypeError, /4 samples/);
    await refused(
      texture({ format: 'rgba8uint' }),
      {},
      TypeError,
      /rgba8uint, expected one of rgba8unorm,/,
    );
    await refused(texture({ format: 'depth32float' }), {}, TypeError, /depth32float/);
    await refused(
      texture({ dimension: '3d', size: [8, 6, 2], usage: TEXTURE_BINDING }),
      {},
      TypeError,
      /3d texture/,
    );
    const gone = texture();
    gone.destroy();
    await refused(gone, {}, DeviceError, /the input cannot be used.*destroy/s);
  });

  test('an image of another device', async () => {
    const { device: other } = await openTestDevice(adapter);
    const foreign = keep(textureOf(other, image));
    await refused(foreign, {}, DeviceError, /the input cannot be used/);
    const output = keep(
      other.createTexture({
        size: [32, 24],
        format: 'rgba8unorm',
        usage: GPUTextureUsage.RENDER_ATTACHMENT,
      }),
    );
    // Before the work: afterEach sees that nothing was begun.
    await refused(image, { output }, DeviceError, /the output cannot be used/);
    other.destroy();
  });

  test('buffers that do not hold their image', async () => {
    await refused(
      bufferImage(100),
      {},
      RangeError,
      /buffer of 100 bytes, expected at least 192 for 8x6/,
    );
    await refused(
      bufferImage(4096, { offset: 4 }),
      {},
      RangeError,
      /offset 4, expected a multiple of/,
    );
    await refused(bufferImage(4096, { bytesPerRow: 30 }), {}, RangeError, /bytesPerRow 30/);
    await refused(bufferImage(4096, { width: 0 }), {}, RangeError, /0x6/);
    await refused(
      bufferImage(4096, { format: 'r8unorm' as 'rgba8unorm' }),
      {},
      TypeError,
      /r8unorm/,
    );
    const copy = keep(device.createBuffer({ size: 4096, usage: GPUBufferUsage.COPY_DST }));
    await refused(bufferImage(16, { buffer: copy }), {}, TypeError, /without usage STORAGE/);
  });

  test('outputs that cannot be filled', async () => {
    await refused(image, { output: texture() }, RangeError, /output is 8x6, expected 32x24/);
    const usage = GPUTextureUsage.TEXTURE_BINDING;
    await refused(
      image,
      { output: texture({ size: [32, 24], usage }) },
      TypeError,
      /neither usage RENDER_ATTACHMENT nor/,
    );
    await refused(
      image,
      { output: bufferImage(64, { width: 32, height: 24 }) },
      RangeError,
      /output is a buffer of 64 bytes/,
    );
    const gone = texture({ size: [32, 24] });
    gone.destroy();
    await refused(image, { output: gone }, DeviceError, /the output cannot be used.*destroy/s);
    const freed = bufferImage(4096, { width: 32, height: 24 });
    freed.buffer.destroy();
    await refused(image, { output: freed }, DeviceError, /the output cannot be used.*destroy/s);
  });

  test.each([
    { x: -1, y: 0, width: 2, height: 2 },
    { x: 7, y: 0, width: 2, height: 2 },
    { x: 0, y: 0, width: 2, height: 7 },
    { x: 0, y: 0, width: 0, height: 2 },
    { x: 0.5, y: 0, width: 2, height: 2 },
    { x: NaN, y: 0, width: 2, height: 2 },
  ])('region %o', async (region) => {
    await refused(image, { region }, RangeError, /region is .* inside the input of 8x6/);
  });

  test.each([
    [{ steps: 6 }, /steps is 6/],
    [{ startTimestep: 0 }, /startTimestep is 0/],
    [{ startTimestep: 2000 }, /timesteps are \[2000\]/],
    [{ tile: 20 }, /tile is 20/],
    [{ tileBatch: 0 }, /tileBatch is 0/],
    [{ overlap: 0.6 }, /overlap is 0.6/],
    [{ cfg: 2 }, /cfg 2 needs negative_prompt_embeds/],
    [{ colorFix: 'sepia' }, /colorFix is sepia/],
    [{ seed: -1 }, /seed is -1/],
    [{ seed: 1.5 }, /seed is 1.5/],
    [{ inputTransfer: 'pq' }, /inputTransfer is pq/],
    [{ outputTransfer: 'pq' }, /outputTransfer is pq/],
    [{ budgetMs: 0 }, /budgetMs is 0/],
  ])('%o', async (options, text) => {
    await refused(image, options, Error, text);
    const { steps, startTimestep, tile, tileBatch, overlap, cfg } = options as NetworkOptions;
    if (steps ?? startTimestep ?? tile ?? tileBatch ?? overlap ?? cfg) {
      await expect(sr.plan(image, options as NetworkOptions)).rejects.toThrow(text);
      await expect(sr.prepare(image, options as NetworkOptions)).rejects.toThrow(text);
    }
  });

  test('too large for the device', async () => {
    const side = Math.floor(Math.sqrt(device.limits.maxStorageBufferBindingSize / 256)) + 1;
    await expect(sr.plan({ width: side, height: side })).rejects.toThrow(ImageSizeError);
    // Its regions are not.
    const region = { x: side - 20, y: side - 20, width: 20, height: 20 };
    const part = await sr.plan({ width: side, height: side }, { tile: 16, region });
    expect(part.peakBytes).toBeGreaterThan(1e6);
    const long = device.limits.maxTextureDimension2D / 4 + 1;
    const data = new Uint8Array(4 * long);
    await refused({ width: long, height: 1, data }, {}, ImageSizeError, /maxTextureDimension2D/);
    await expect(sr.plan({ width: long, height: 1 })).rejects.toThrow(/maxTextureDimension2D/);
    // A strip to a buffer, which has no such limit: its width has none, its rows are those of one dispatch.
    const output = bufferImage(16);
    await sr.plan({ width: 12_000, height: 40 }, { tile: 16, output });
    await sr.plan({ width: 4, height: 16_383 }, { tile: 16, output });
    const strip = sr.plan({ width: 4, height: 16_384 }, { tile: 16, output });
    await expect(strip).rejects.toThrow(ImageSizeError);
    await expect(strip).rejects.toThrow(/16383 rows/);
    const huge = { tile: 4096 }; // its x4 image takes gigabytes in one piece
    await expect(sr.plan({ width: 64, height: 64 }, huge)).rejects.toThrow(DeviceError);
  });

  test('a signal that has aborted: its reason, and nothing is begun', async () => {
    const signal = AbortSignal.abort(new Error('too late'));
    await refused(texture(), { signal }, Error, /^too late$/);
    await expect(sr.prepare(image, { signal })).rejects.toThrow('too late');
    await expect(InvSR.open({ device, weights: model, signal })).rejects.toThrow('too late');
  });

  test('weights that are none', async () => {
    await expect(InvSR.load({ device, weights: 'weights/invsr-nano' })).rejects.toThrow(
      /nodeFolder/,
    );
    for (const none of [undefined, null, 42]) {
      const opening = InvSR.open({ device, weights: none as unknown as string });
      await expect(opening).rejects.toThrow(TypeError);
      await expect(opening).rejects.toThrow(`weights is ${none}, expected an address`);
    }
    const nowhere = nodeFolder('test/library');
    // As one of another window: no instance of this one's Object.
    const foreign = Object.assign(Object.create(null) as object, nowhere);
    for (const weights of [nowhere, foreign]) {
      await expect(InvSR.load({ device, weights })).rejects.toThrow(/config.json/);
    }
    const signal = AbortSignal.abort(new Error('no time'));
    await expect(InvSR.load({ device, weights: model, signal })).rejects.toThrow('no time');
  });

  test('a device that is none: an adapter, a promise that nobody awaited', async () => {
    const { adapterInfo: info, features, limits } = device;
    for (const none of [{ info, features, limits }, Promise.resolve(device), {}]) {
      const opening = InvSR.open({ device: none as unknown as GPUDevice, weights: model });
      await expect(opening).rejects.toThrow(TypeError);
      await expect(opening).rejects.toThrow(
        /^device is no GPUDevice, expected what `await adapter/,
      );
    }
  });

  test('no device at all', async () => {
    for (const none of [undefined, null]) {
      const opening = InvSR.open({ device: none as unknown as GPUDevice, weights: model });
      await expect(opening).rejects.toThrow(DeviceError);
      await expect(opening).rejects.toThrow(/^there is no WebGPU here/);
    }
  });

  test('readImage of what it cannot read', async () => {
    const unreadable = texture({ usage: GPUTextureUsage.RENDER_ATTACHMENT });
    await expect(readImage(device, unreadable)).rejects.toThrow(
      /the image has no usage TEXTURE_BINDING/,
    );
    const gone = texture();
    gone.destroy();
    await expect(readImage(device, gone)).rejects.toThrow(/^the image cannot be used/);
  });
});
