/** Class InvSR: GPU images in and out, regions, parts as they finish, options. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createContext } from '../../src/engine/context.ts';
import type { GpuImage } from '../../src/engine/gpu-image.ts';
import { NonFiniteError } from '../../src/invsr/errors.ts';
import type { ColorFix } from '../../src/invsr/image-graphs.ts';
import { type Model, openModel } from '../../src/invsr/model.ts';
import type { PrecisionWarning } from '../../src/invsr/stage-precision.ts';
import { TileNetworks } from '../../src/invsr/tile-networks.ts';
import { upscalePixels } from '../../src/invsr/upscale-pixels.ts';
import { withDefaults } from '../../src/invsr/upscale-settings.ts';
import { InvSR } from '../../src/library/invsr.ts';
import { readImage } from '../../src/library/read-image.ts';
import type { ImageInput, Progress, Region, UpscaleOptions } from '../../src/library/types.ts';
import { nodeFolder } from '../../src/weights/node-file.ts';
import { adapterNames, openTestDevice } from '../harness/device.ts';
import { cropped, difference, picture, type Picture, textureOf } from '../harness/pictures.ts';
import { serve } from '../harness/serve.ts';
import {
  anyPrompt,
  damaged,
  type EditWeight,
  scaled,
  tinyModelWith,
} from '../harness/synthetic.ts';

const TILE = 16;
const isLast = (adapter: string): boolean => adapter === adapterNames.at(-1);

const enlarged = ({ x, y, width, height }: Region): Region => ({
  x: 4 * x,
  y: 4 * y,
  width: 4 * width,
  height: 4 * height,
});

describe.each(adapterNames)('%s', (adapter) => {
  let device: GPUDevice;
  let model: Model;
  let sr: InvSR;
  /** Destroyed after each test. */
  const textures: GPUTexture[] = [];
  beforeAll(async () => {
    ({ device } = await openTestDevice(adapter));
    device.onuncapturederror = ({ error }) => {
      throw new Error(`leaked: ${error.message}`);
    };
    model = await openModel(nodeFolder('weights/invsr-nano'));
    sr = await InvSR.open({ device, weights: model });
  });
  afterEach(() => {
    for (const texture of textures.splice(0)) texture.destroy();
  });
  afterAll(async () => {
    sr.dispose();
    await device.queue.onSubmittedWorkDone();
    await model.close();
    device.destroy();
  });

  function texture(image: Picture): GPUTexture {
    const made = textureOf(device, image);
    textures.push(made);
    return made;
  }

  /** The result's bytes. */
  async function bytesOf(input: ImageInput, options: UpscaleOptions = {}): Promise<Picture> {
    const output = await sr.upscale(input, { tile: TILE, ...options });
    textures.push(output);
    return readImage(device, output);
  }

  /** The bytes that the command line makes of a whole picture. */
  async function expectedOf(image: Picture, colorFix: ColorFix): Promise<Uint8Array> {
    const context = createContext(device);
    const options = withDefaults({ tile: TILE, colorFix }, context);
    const networks = new TileNetworks(context, model, options);
    const input = { ...image, pixels: new Uint8Array(image.data) };
    const { pixels } = await upscalePixels(networks, input, options);
    networks.dispose();
    context.dispose();
    return pixels;
  }

  test('texture in, texture out: the bytes of upscalePixels, nothing mapped, no timer', async () => {
    const image = picture(26, 19);
    const pixels = await expectedOf(image, 'wavelet');

    const map = vi.spyOn(GPUBuffer.prototype, 'mapAsync');
    const timer = vi.spyOn(globalThis, 'setTimeout');
    const output = await sr.upscale(texture(image), { tile: TILE });
    textures.push(output);
    expect(map).not.toHaveBeenCalled();
    expect(timer).not.toHaveBeenCalled(); // in a hidden tab they come once a second
    timer.mockRestore();
    const { width, height, data } = await readImage(device, output);
    expect(map).toHaveBeenCalled(); // the spy does see
    map.mockRestore();
    expect([width, height, output.format]).toEqual([104, 76, 'rgba8unorm']);
    expect(difference(data, pixels).max).toBe(0);
    expect(data.every((v, i) => i % 4 < 3 || v === 255)).toBe(true);
  });

  if (!isLast(adapter)) return;

  test('bytes are taken like a texture of them, copied by the call', async () => {
    const image = picture(18, 11);
    const expected = await bytesOf(texture(image));
    const given = { ...image, data: image.data.slice() };
    const run = bytesOf(given);
    given.data.fill(0);
    expect((await run).data).toEqual(expected.data);
  });

  test('buffers in and out, with offsets and strides', async () => {
    const image = picture(18, 11);
    const expected = await bytesOf(texture(image));
    const { STORAGE, COPY_DST } = GPUBufferUsage;
    const input = device.createBuffer({ size: 256 + 11 * 80, usage: STORAGE | COPY_DST });
    const output = device.createBuffer({ size: 512 + 44 * 2048, usage: STORAGE });
    try {
      for (let y = 0; y < 11; y++) {
        device.queue.writeBuffer(input, 256 + 80 * y, image.data, 4 * 18 * y, 4 * 18);
      }
      const result = await sr.upscale(
        {
          buffer: input,
          width: 18,
          height: 11,
          format: 'rgba8unorm',
          offset: 256,
          bytesPerRow: 80,
        },
        {
          tile: TILE,
          output: {
            buffer: output,
            width: 72,
            height: 44,
            format: 'rgba32float',
            offset: 512,
            bytesPerRow: 2048,
          },
        },
      );
      expect(result.buffer).toBe(output);
      const { data } = await readImage(device, result);
      expect(data).toEqual(expected.data);
    } finally {
      input.destroy();
      output.destroy();
    }
  });

  test('what it was opened with holds where a call says nothing else', async () => {
    const image = texture(picture(20, 18));
    const own = await InvSR.open({ device, weights: model, tile: TILE, startTimestep: 150 });
    try {
      const plain = await own.upscale(image);
      const other = await own.upscale(image, { startTimestep: 250 });
      textures.push(plain, other);
      const expected = await bytesOf(image, { startTimestep: 150 });
      expect((await readImage(device, plain)).data).toEqual(expected.data);
      expect((await readImage(device, other)).data).not.toEqual(expected.data);
    } finally {
      own.dispose();
    }
  });

  test('a region whose surroundings are a tile of the whole: the same bytes, so the same noise', async () => {
    const image = texture(picture(112, 48)); // tiles of 48 at 0, 32 and 64
    const options = { tile: 48, seed: 7, colorFix: 'none' } as const;
    const region = { x: 52, y: 0, width: 8, height: 48 }; // where the second one counts fully
    const whole = await bytesOf(image, options);
    const part = await bytesOf(image, { ...options, region });
    expect(difference(part.data, cropped(whole, enlarged(region)).data).max).toBe(0);
  });

  test('regions inside and at borders show their place in the whole', async () => {
    const image = texture(picture(70, 54)); // larger than the regions' surroundings
    const whole = await bytesOf(image);
    for (const region of [
      { x: 27, y: 22, width: 13, height: 9 },
      { x: 0, y: 0, width: 10, height: 12 },
      { x: 59, y: 43, width: 11, height: 11 },
    ]) {
      const part = await bytesOf(image, { region });
      const errorAt = (x: number, y: number): number => {
        const at = enlarged({ ...region, x: region.x + x, y: region.y + y });
        return difference(part.data, cropped(whole, at).data).rms;
      };
      // Other tiles have other group statistics; one pixel beside, where the image has one, is farther off.
      const beside = errorAt(region.x > 0 ? -1 : 1, region.y > 0 ? -1 : 1);
      // Measured: 0.2 to 2.3 levels, and 11 beside.
      expect(errorAt(0, 0)).toBeLessThan(0.3 * beside);
    }
  });

  test.each([
    [1, 1],
    [1, 7],
  ])('%ix%i pixels', async (width, height) => {
    const image = picture(width, height);
    const pixels = await expectedOf(image, 'ycbcr');
    const { data } = await bytesOf(texture(image), { colorFix: 'ycbcr' });
    expect(difference(data, pixels).max).toBe(0);
  });

  test('parts as they finish: the enlarged input, then each pixel once', async () => {
    const image = picture(50, 37);
    const region = { x: 5, y: 3, width: 41, height: 30 };
    const size = { width: 164, height: 120 };
    const parts: Region[] = [];
    let first: Promise<Picture> | undefined;
    const outputs = new Set<GpuImage>();
    const output = await sr.upscale(texture(image), {
      tile: TILE,
      region,
      tileBatch: 2,
      onTile: (part, onto) => {
        outputs.add(onto);
        if (parts.push(part) === 1) first = readImage(device, onto);
      },
    });
    textures.push(output);
    expect([...outputs]).toEqual([output]);
    expect(parts[0]).toEqual({ x: 0, y: 0, ...size });
    const covered = new Uint8Array(size.width * size.height);
    for (const { x, y, width, height } of parts.slice(1)) {
      for (let i = y; i < y + height; i++) {
        for (let j = x; j < x + width; j++) covered[i * size.width + j]!++;
      }
    }
    expect(covered.every((times) => times === 1)).toBe(true);
    // The same picture as without, and before it something that looks like it.
    const silent = await bytesOf(texture(image), { region, tileBatch: 2 });
    const { data } = await readImage(device, output);
    expect(data).toEqual(silent.data);
    const early = difference((await first)!.data, data);
    // Measured: 2.8 levels.
    expect(early.rms).toBeGreaterThan(0.5);
    expect(early.rms).toBeLessThan(6);
  });

  test('options make a difference, and only they do', async () => {
    const image = picture(20, 14);
    const submit = vi.spyOn(device.queue, 'submit');
    const submits: number[] = [];
    const of = async (options: UpscaleOptions): Promise<string> => {
      submit.mockClear();
      const { data } = await bytesOf(texture(image), options);
      submits.push(submit.mock.calls.length);
      return Buffer.from(data).toString('base64');
    };
    const results = [
      await of({ budgetMs: 1e9 }), // all dispatches of a network in one submit
      await of({ seed: 1 }),
      await of({ steps: 2 }),
      await of({ startTimestep: 100 }),
      await of({ colorFix: 'none' }),
    ];
    expect(new Set(results).size).toBe(results.length);
    const each = { budgetMs: 1e-9 }; // each in its own: 1619 in place of 28
    expect(await of({ seed: 12345, steps: 1, startTimestep: 200, ...each })).toBe(results[0]);
    expect(submits.at(-1)).toBeGreaterThan(10 * submits[0]!);
    submit.mockRestore();
  });

  test('progress: weights and pipelines once, then tiles, evenly and to the end', async () => {
    const fresh = await InvSR.open({ device, weights: model });
    const seen: Progress[] = [];
    const onProgress = (progress: Progress): void => void seen.push(progress);
    try {
      await fresh.prepare({ width: 20, height: 14 }, { tile: TILE, onProgress });
      expect(new Set(seen.map(({ phase }) => phase))).toEqual(new Set(['download', 'compile']));
      expect(fresh.memory.weightBytes).toBeGreaterThan(1e6);
      seen.length = 0;
      textures.push(await fresh.upscale(texture(picture(20, 14)), { tile: TILE, onProgress }));
    } finally {
      fresh.dispose();
    }
    const run = seen.flatMap((p) => (p.phase === 'run' ? [p.done / p.total] : []));
    expect(run.length).toBeGreaterThan(2);
    expect(run).toEqual(run.toSorted((a, b) => a - b));
    expect(run.at(-1)).toBeCloseTo(1, 6);
    expect(seen.some(({ phase }) => phase === 'download')).toBe(false);
  });

  test('check: a network beyond f16 goes on in f32 and says so, damage is told by its layer', async () => {
    const map = vi.spyOn(GPUBuffer.prototype, 'mapAsync');
    const layer = 'vae.decoder.up_blocks.1.resnets.0.conv1';
    const warnings: PrecisionWarning[] = [];
    const open = async (edit: EditWeight): Promise<InvSR> => {
      const weights = await openModel(tinyModelWith(edit), anyPrompt);
      const onWarning = (warning: PrecisionWarning) => void warnings.push(warning);
      const options = { tile: TILE, precision: 'f16', check: true, onWarning } as const;
      return InvSR.open({ device, weights, ...options });
    };
    const image = texture(picture(TILE, TILE));
    const wide = await open(scaled(`${layer}.weight`, 2 ** 15));
    const torn = await open(damaged('unet.conv_in.weight'));
    try {
      textures.push(await wide.upscale(image));
      const message = `${layer} leaves the range of f16; the decode stage goes on in f32`;
      expect(warnings).toEqual([{ stage: 'decode', layer, message }]);
      expect(map).toHaveBeenCalledTimes(5); // a network each, and one of them again

      const error: unknown = await torn.upscale(image).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(NonFiniteError);
      expect((error as Error).message).toMatch(/^unet\.conv_in gives NaN or Infinity in f32/);
    } finally {
      map.mockRestore();
      wide.dispose();
      torn.dispose();
    }
  });

  test('a model at an address is read in few requests, neighbours together', async () => {
    const served = await serve('weights/invsr-nano');
    const fetched = vi.spyOn(globalThis, 'fetch');
    const own = await InvSR.open({ device, weights: served.url });
    try {
      await own.prepare({ width: 8, height: 8 }, { tile: TILE });
      const ranges = fetched.mock.calls.filter(([, init]) =>
        new Headers(init?.headers).has('range'),
      );
      const tensors = Object.values(own.model.shapes).reduce((sum, { size }) => sum + size, 0);
      expect(tensors).toBeGreaterThan(250);
      expect(ranges.length).toBeLessThan(25); // measured: 21, two for each header among them; 735 one by one
      const output = await own.upscale(texture(picture(8, 8)), { tile: TILE });
      textures.push(output);
      const { data } = await readImage(device, output);
      expect(data).toEqual((await bytesOf(texture(picture(8, 8)))).data);
    } finally {
      fetched.mockRestore();
      own.dispose();
      await served.close();
    }
  });
});
