/** Class InvSR on its own: GPU images in and out. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { InvSR } from '../../src/library/invsr.ts';
import { readImage } from '../../src/library/read-image.ts';
import { createContext } from '../../src/engine/context.ts';
import { type Model, openModel } from '../../src/invsr/model.ts';
import { Upscaler } from '../../src/invsr/upscaler.ts';
import { nodeFolder } from '../../src/weights/node-file.ts';
import { adapterNames, openTestDevice } from '../harness/device.ts';
import { uniform } from '../harness/random.ts';

const TILE = 16;

/** Shapes, colours and grain, opaque. */
function picture(width: number, height: number) {
  const next = uniform(width * 1000 + height);
  const data = new Uint8ClampedArray(4 * width * height);
  for (let i = 0; i < width * height; i++) {
    const [x, y] = [(i % width) / width, Math.floor(i / width) / height];
    const grain = 24 * (next() - 0.5);
    const rgb = [60 + 160 * x, 200 - 140 * y, 90 + 80 * Math.sin(6 * (x + y))];
    data.set([...rgb.map((v) => v + grain), 255], 4 * i);
  }
  return { width, height, data };
}

describe.each(adapterNames)('%s', (adapter) => {
  let device: GPUDevice;
  let model: Model;
  let sr: InvSR;
  beforeAll(async () => {
    ({ device } = await openTestDevice(adapter));
    model = await openModel(nodeFolder('weights/invsr-nano'));
    sr = await InvSR.open({ device, weights: model });
  });
  afterAll(async () => {
    sr.dispose();
    await device.queue.onSubmittedWorkDone();
    await model.close();
    device.destroy();
  });

  function textureOf(image: ReturnType<typeof picture>, format: GPUTextureFormat = 'rgba8unorm') {
    const { TEXTURE_BINDING, COPY_DST } = GPUTextureUsage;
    const size = [image.width, image.height];
    const texture = device.createTexture({ size, format, usage: TEXTURE_BINDING | COPY_DST });
    device.queue.writeTexture({ texture }, image.data, { bytesPerRow: 4 * image.width }, size);
    return texture;
  }

  test('a texture in, a texture out: the same bytes as Upscaler has them', async () => {
    const image = picture(26, 19);
    const context = createContext(device);
    const upscaler = new Upscaler(context, model, { tile: TILE, colorFix: 'wavelet' });
    const { pixels } = await upscaler.upscale({ ...image, pixels: new Uint8Array(image.data) });
    upscaler.dispose();
    context.dispose();
    const input = textureOf(image);
    const output = await sr.upscale(input, { tile: TILE });
    const { data, width, height } = await readImage(device, output);
    expect([width, height]).toEqual([104, 76]);
    expect(Buffer.from(data).equals(Buffer.from(pixels))).toBe(true);
    input.destroy();
    output.destroy();
  });
});
