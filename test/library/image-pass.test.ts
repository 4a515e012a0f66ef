/** Images ↔ tensors: formats, transfer curves, rectangles, against the formulas in f64. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { GpuImage, ImageBuffer, Transfer } from '../../src/engine/gpu-image.ts';
import { imageStore, loadImage } from '../../src/engine/image-pass.ts';
import { readBuffer } from '../../src/engine/readback.ts';
import { readImage } from '../../src/library/read-image.ts';
import { adapterNames, openTestDevice } from '../harness/device.ts';
import { openGolden } from '../harness/goldens.ts';
import { difference, picture, swapped, textureOf } from '../harness/pictures.ts';

/** IEC 61966-2-1. */
const toSrgb = (v: number): number => (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055);
const toLinear = (v: number): number => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);

/** exp2 and log2 of WGSL may be off by 3 ULP of results around 16: a few 1e-6 of the value. */
const CURVE_ERROR = 2e-5;

describe.each(adapterNames)('%s', (adapter) => {
  let device: GPUDevice;
  const leaked: string[] = [];
  const made: (GPUTexture | GPUBuffer)[] = [];
  beforeAll(async () => {
    ({ device } = await openTestDevice(adapter));
    device.onuncapturederror = ({ error }) => void leaked.push(error.message);
  });
  afterEach(async () => {
    for (const one of made.splice(0)) one.destroy();
    await device.queue.onSubmittedWorkDone();
    expect(leaked).toEqual([]);
  });
  afterAll(() => device.destroy());

  const keep = <T extends GPUTexture | GPUBuffer>(one: T): T => {
    made.push(one);
    return one;
  };

  const buffer = (size: number): GPUBuffer => {
    const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
    return keep(device.createBuffer({ size, usage: STORAGE | COPY_SRC | COPY_DST }));
  };

  const outputTexture = (width: number, height: number, format: GPUTextureFormat, usage: number) =>
    keep(
      device.createTexture({
        size: [width, height],
        format,
        usage: usage | GPUTextureUsage.COPY_SRC | GPUTextureUsage.TEXTURE_BINDING,
      }),
    );

  async function loaded(image: GpuImage, transfer: Transfer): Promise<Float32Array> {
    const { width, height } = image;
    const tensor = buffer(16 * width * height);
    const from = { x: 0, y: 0, width, height };
    await loadImage(device, { image, from, transfer, tensor, width, height });
    return new Float32Array(await readBuffer(device, tensor, 16 * width * height));
  }

  /** [width · height, 4] values → the image. */
  async function stored(values: Float32Array<ArrayBuffer>, image: GpuImage, transfer: Transfer) {
    const { width, height } = image;
    const tensor = buffer(values.byteLength);
    device.queue.writeBuffer(tensor, 0, values);
    const store = await imageStore(device, image, transfer);
    await store({ tensor, stride: width, origin: [0, 0], to: { x: 0, y: 0, width, height } });
  }

  /** Every byte, once as red, green and blue. */
  const ramp = {
    width: 256,
    height: 3,
    data: Uint8ClampedArray.from({ length: 4 * 256 * 3 }, (_, i) => {
      const [channel, x, y] = [i % 4, (i >> 2) % 256, i >> 10];
      return channel === 3 ? 77 : channel === y ? x : 255 - x;
    }),
  };

  /** Its values, and a zero for alpha. */
  const values = Float32Array.from(ramp.data, (v, i) => (i % 4 === 3 ? 0 : v / 255));

  test.each(['rgba8unorm', 'bgra8unorm', 'rgba8unorm-srgb', 'bgra8unorm-srgb'] as const)(
    '%s: every byte is the same value on every adapter',
    async (format) => {
      const image = format.startsWith('bgra') ? swapped(ramp) : ramp;
      const texture = keep(textureOf(device, image, format));
      const expected = values;
      const got = await loaded(texture, 'srgb');
      // f32 division may be off by 2.5 ULP.
      expect(got.every((v, i) => Math.abs(v - expected[i]!) <= 2.5 * 2 ** -24)).toBe(true);
    },
  );

  test('floats that are no values of a picture: clamped, and NaN is 0', async () => {
    const pixels = Float32Array.of(NaN, Infinity, -Infinity, 1, 2, -1, 0.25, NaN);
    const { TEXTURE_BINDING, COPY_DST } = GPUTextureUsage;
    const texture = keep(
      device.createTexture({
        size: [2, 1],
        format: 'rgba32float',
        usage: TEXTURE_BINDING | COPY_DST,
      }),
    );
    device.queue.writeTexture({ texture }, pixels, { bytesPerRow: 32 }, [2, 1]);
    const floats = buffer(32);
    device.queue.writeBuffer(floats, 0, pixels);
    const inBuffer = { buffer: floats, width: 2, height: 1, format: 'rgba32float' } as const;
    for (const image of [texture, inBuffer]) {
      expect([...(await loaded(image, 'srgb'))]).toEqual([0, 1, 0, 0, 1, 0, 0.25, 0]);
      const [first, second] = await loaded(image, 'linear');
      expect([first, second]).toEqual([0, expect.closeTo(1, 5)]);
    }
  });

  test.each([
    ['rgba8unorm', 'STORAGE_BINDING'],
    ['rgba8unorm', 'RENDER_ATTACHMENT'],
    ['bgra8unorm', 'RENDER_ATTACHMENT'],
    ['rgba8unorm-srgb', 'RENDER_ATTACHMENT'],
    ['bgra8unorm-srgb', 'RENDER_ATTACHMENT'],
  ] as const)('%s as %s: every byte comes out as it went in, opaque', async (format, usage) => {
    const output = outputTexture(256, 3, format, GPUTextureUsage[usage]);
    await stored(values, output, 'srgb');
    const { COPY_DST, COPY_SRC } = GPUBufferUsage;
    const copy = keep(device.createBuffer({ size: 1024 * 3, usage: COPY_DST | COPY_SRC }));
    const encoder = device.createCommandEncoder();
    encoder.copyTextureToBuffer({ texture: output }, { buffer: copy, bytesPerRow: 1024 }, [256, 3]);
    device.queue.submit([encoder.finish()]);
    const bytes = new Uint8Array(await readBuffer(device, copy, 1024 * 3));
    const expected = format.startsWith('bgra') ? swapped(ramp).data : ramp.data;
    expect(difference(bytes, expected).max).toBe(0);
    expect(bytes.every((v, i) => i % 4 < 3 || v === 255)).toBe(true);
  });

  test('read back as it was at the call, whatever comes after; a refusal is told to the caller', async () => {
    const source = buffer(16);
    device.queue.writeBuffer(source, 0, Uint32Array.of(1, 2, 3, 4));
    const read = readBuffer(device, source, 16);
    device.queue.writeBuffer(source, 0, Uint32Array.of(5, 6, 7, 8));
    source.destroy();
    expect([...new Uint32Array(await read)]).toEqual([1, 2, 3, 4]);
    await expect(readBuffer(device, source, 16)).rejects.toThrow('nothing was read');
  });

  test('linear values are converted on load, and back when stored', async () => {
    const light = Float32Array.from({ length: 4 * 512 }, (_, i) =>
      i % 4 === 3 ? 1 : (i >> 2) / 511,
    );
    const input = buffer(light.byteLength);
    device.queue.writeBuffer(input, 0, light);
    const image: ImageBuffer = { buffer: input, width: 512, height: 1, format: 'rgba32float' };
    const got = await loaded(image, 'linear');
    const worst = (a: Float32Array, of: (v: number) => number): number =>
      Math.max(...a.map((v, i) => (i % 4 === 3 ? 0 : Math.abs(v - of(light[i]!)))));
    expect(worst(got, toSrgb)).toBeLessThan(CURVE_ERROR);
    const output: ImageBuffer = { ...image, buffer: buffer(light.byteLength) };
    await stored(light, output, 'linear');
    const back = new Float32Array(await readBuffer(device, output.buffer, light.byteLength));
    expect(worst(back, toLinear)).toBeLessThan(CURVE_ERROR);
    expect(back.every((v, i) => i % 4 < 3 || v === 1)).toBe(true);
  });

  test('linear bytes: the nearest level, as the curve has it', async () => {
    const got = await loaded(keep(textureOf(device, ramp)), 'linear');
    const worst = Math.max(
      ...got.map((v, i) => (i % 4 === 3 ? 0 : Math.abs(v - toSrgb(values[i]!)))),
    );
    expect(worst).toBeLessThan(CURVE_ERROR);
    const output = outputTexture(256, 3, 'rgba8unorm', GPUTextureUsage.RENDER_ATTACHMENT);
    await stored(values, output, 'linear');
    const { data } = await readImage(device, output);
    const expected = ramp.data.map((v, i) =>
      i % 4 === 3 ? 255 : Math.round(255 * toLinear(v / 255)),
    );
    expect(difference(data, expected).max).toBe(0);
  });

  test.each(['rgba16float', 'rgba32float', 'rgb10a2unorm'] as const)(
    '%s out and in again',
    async (format) => {
      const output = outputTexture(256, 3, format, GPUTextureUsage.RENDER_ATTACHMENT);
      await stored(values, output, 'srgb');
      const got = await loaded(output, 'srgb');
      // A step of f16 below 1, which adapters may round either way; half of one of 1023 levels.
      const error = { rgba16float: 2 ** -11, rgb10a2unorm: 0.5 / 1023, rgba32float: 0 }[format];
      const worst = Math.max(...got.map((v, i) => (i % 4 === 3 ? 0 : Math.abs(v - values[i]!))));
      expect(worst).toBeLessThanOrEqual(error + 2.5 * 2 ** -24);
    },
  );

  test('bytes are rounded halves to even, whatever the target', async () => {
    // Every boundary between two levels, and its neighbours in f32.
    const halves = Array.from({ length: 255 }, (_, i) => Math.fround((i + 0.5) / 255));
    const levels = halves.flatMap((v) => [v, v * (1 - 2 ** -24), v * (1 + 2 ** -23)]);
    const x = Float32Array.from({ length: 4 * levels.length }, (_, i) => levels[i >> 2]!);
    const expected = x.map((v, i) => {
      const level = Math.fround(255 * v);
      const below = Math.floor(level);
      return i % 4 === 3 ? 255 : level - below === 0.5 ? below + (below % 2) : Math.round(level);
    });
    const width = levels.length;
    for (const image of [
      { buffer: buffer(4 * width), width, height: 1, format: 'rgba8unorm' } as const,
      outputTexture(width, 1, 'rgba8unorm', GPUTextureUsage.RENDER_ATTACHMENT),
      outputTexture(width, 1, 'rgba8unorm', GPUTextureUsage.STORAGE_BINDING),
    ]) {
      await stored(x, image, 'srgb');
      expect([...(await readImage(device, image)).data]).toEqual([...expected]);
    }
  });

  test('bytes are those of the official code', async () => {
    const golden = await openGolden('kernels/to_u8');
    const levels = golden.f32('x').data;
    const x = Float32Array.from({ length: 4 * levels.length }, (_, i) => levels[i >> 2]!);
    const width = levels.length;
    const image: ImageBuffer = {
      buffer: buffer(4 * width),
      width,
      height: 1,
      format: 'rgba8unorm',
    };
    await stored(x, image, 'srgb');
    const expected = [...(golden.at('u8').data as Uint8Array)].flatMap((v) => [v, v, v, 255]);
    expect([...(await readImage(device, image)).data]).toEqual(expected);
  });

  test('values outside 0 to 1 are clamped', async () => {
    const wild = Float32Array.of(-1, 2, 0.5, 9, 1e30, -1e30, 1, -9);
    const input = buffer(256);
    device.queue.writeBuffer(input, 0, wild);
    const image: ImageBuffer = { buffer: input, width: 2, height: 1, format: 'rgba32float' };
    expect([...(await loaded(image, 'srgb'))]).toEqual([0, 1, 0.5, 0, 1, 0, 1, 0]);
  });

  test('rectangles: from anywhere to anywhere, the last row and column repeated', async () => {
    const image = picture(13, 9);
    const texture = keep(textureOf(device, image));
    const tensor = buffer(16 * 8 * 8);
    const from = { x: 6, y: 5, width: 7, height: 4 };
    await loadImage(device, {
      image: texture,
      from,
      transfer: 'srgb',
      tensor,
      width: 8,
      height: 8,
    });
    for (const usage of ['STORAGE_BINDING', 'RENDER_ATTACHMENT'] as const) {
      const output = outputTexture(20, 10, 'rgba8unorm', GPUTextureUsage[usage]);
      const store = await imageStore(device, output, 'srgb');
      await store({ tensor, stride: 8, origin: [3, 2], to: { x: 9, y: 1, width: 5, height: 6 } });
      const { data } = await readImage(device, output);
      const at = (y: number, x: number) => data.slice(4 * (20 * y + x)).slice(0, 3);
      for (let y = 0; y < 6; y++) {
        for (let x = 0; x < 5; x++) {
          const pixel = 13 * (5 + Math.min(y + 2, 3)) + 6 + Math.min(x + 3, 6);
          expect(at(1 + y, 9 + x)).toEqual(image.data.slice(4 * pixel, 4 * pixel + 3));
        }
      }
      for (const outside of [at(0, 9), at(7, 9), at(1, 8), at(1, 14)]) {
        expect(outside).toEqual(new Uint8ClampedArray(3));
      }
    }
  });
});
