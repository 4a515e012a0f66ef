/** Class InvSR over time: memory, aborts, calls that wait, disposal, a device that goes away. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { DeviceError, DeviceLostError } from '../../src/engine/errors.ts';
import type { GpuImage, ImageSize } from '../../src/engine/gpu-image.ts';
import { type Model, openModel } from '../../src/invsr/model.ts';
import { InvSR } from '../../src/library/invsr.ts';
import { readImage } from '../../src/library/read-image.ts';
import type { ImageInput, UpscaleOptions } from '../../src/library/types.ts';
import { nodeFolder } from '../../src/weights/node-file.ts';
import { adapterNames, openTestDevice } from '../harness/device.ts';
import { picture, textureOf } from '../harness/pictures.ts';
import { anyPrompt, tinyModel } from '../harness/synthetic.ts';

const TILE = 16;

// What the host decides needs one adapter only.
describe.each(adapterNames.slice(-1))('%s', (adapter) => {
  let device: GPUDevice;
  let model: Model;
  const leaked: string[] = [];
  const opened: InvSR[] = [];
  const textures: GPUTexture[] = [];
  const image = picture(40, 14); // three tiles

  beforeAll(async () => {
    ({ device } = await openTestDevice(adapter));
    device.onuncapturederror = ({ error }) => void leaked.push(error.message);
    model = await openModel(nodeFolder('weights/invsr-nano'));
  });
  afterEach(async () => {
    for (const sr of opened.splice(0)) sr.dispose();
    for (const texture of textures.splice(0)) texture.destroy();
    await device.queue.onSubmittedWorkDone();
    expect(leaked).toEqual([]);
  });
  afterAll(async () => {
    await model.close();
    device.destroy();
  });

  /** With weights and networks on the device. */
  async function ready(on = device): Promise<InvSR> {
    const sr = await InvSR.open({ device: on, weights: model });
    opened.push(sr);
    await sr.prepare(image, { tile: TILE });
    return sr;
  }

  const bytes = async (texture: GPUTexture): Promise<Uint8ClampedArray> => {
    textures.push(texture);
    return (await readImage(device, texture)).data;
  };

  /** The most that is on the device during `work`; `memory.peakBytes` is that of all calls. */
  async function peakOf({ context: { memory } }: InvSR, work: () => Promise<unknown>) {
    let peak = memory.bytes;
    const add = memory.add.bind(memory);
    const spy = vi.spyOn(memory, 'add').mockImplementation((count) => {
      add(count);
      peak = Math.max(peak, memory.bytes);
    });
    try {
      await work();
    } finally {
      spy.mockRestore();
    }
    return peak;
  }

  /** The device has no memory for what has this label: it is told so, and what it makes is invalid. */
  function shortOf(label: string) {
    const filters: GPUErrorFilter[] = [];
    let isShort = false;
    const [push, pop] = [device.pushErrorScope.bind(device), device.popErrorScope.bind(device)];
    const invalid = <T extends GPUObjectBase>(make: () => T): T => {
      push('validation');
      const made = make();
      void pop();
      isShort = true;
      return made;
    };
    const texture = device.createTexture.bind(device);
    const buffer = device.createBuffer.bind(device);
    const spies = [
      vi.spyOn(device, 'createTexture').mockImplementation((given) => {
        if (given.label !== label) return texture(given);
        return invalid(() => texture({ ...given, mipLevelCount: 99 }));
      }),
      vi.spyOn(device, 'createBuffer').mockImplementation((given) => {
        if (given.label !== label) return buffer(given);
        return invalid(() => buffer({ ...given, usage: given.usage | GPUBufferUsage.STORAGE }));
      }),
      vi.spyOn(device, 'pushErrorScope').mockImplementation((filter) => {
        filters.push(filter);
        push(filter);
      }),
      vi.spyOn(device, 'popErrorScope').mockImplementation(async () => {
        const isTold = filters.pop() === 'out-of-memory' && isShort;
        if (isTold) isShort = false;
        const error = await pop();
        return isTold ? new GPUOutOfMemoryError('no room') : error;
      }),
    ];
    return { end: () => spies.forEach((spy) => spy.mockRestore()) };
  }

  /** A signal that aborts when the second tile is under way. */
  function inTheMiddle() {
    const abort = new AbortController();
    return {
      signal: abort.signal,
      onProgress: (p: { phase: string; done?: number }): void => {
        if (p.phase === 'run' && (p.done ?? 0) > 1) abort.abort(new Error('enough'));
      },
    };
  }

  test('an abort in the middle: its reason, nothing left, the next call as if nothing had been', async () => {
    const sr = await ready();
    const before = sr.memory.otherBytes;
    const expected = await bytes(await sr.upscale(image, { tile: TILE }));
    expect(sr.memory.otherBytes).toBe(before);
    const run = sr.upscale(image, { tile: TILE, ...inTheMiddle() });
    await expect(run).rejects.toThrow('enough');
    expect(sr.memory.otherBytes).toBe(before);
    expect(await bytes(await sr.upscale(image, { tile: TILE }))).toEqual(expected);
    expect(sr.memory.otherBytes).toBe(before);
  });

  test('calls wait for each other; one that is aborted meanwhile leaves at once', async () => {
    const sr = await ready();
    const ends: string[] = [];
    const named = <T>(name: string, call: Promise<T>): Promise<T> =>
      call.finally(() => ends.push(name));
    const abort = new AbortController();
    const first = named('first', sr.upscale(image, { tile: TILE }));
    const second = named('second', sr.upscale(image, { tile: TILE, signal: abort.signal }));
    const third = named('third', sr.upscale(image, { tile: TILE }));
    abort.abort(new Error('changed my mind'));
    await expect(second).rejects.toThrow('changed my mind');
    const [a, b] = await Promise.all([first, third]);
    expect(await bytes(a)).toEqual(await bytes(b));
    expect(ends).toEqual(['second', 'first', 'third']);
  });

  test('two instances on one device do not know of each other', async () => {
    const [one, two] = [await ready(), await ready()];
    const [a, b] = await Promise.all([
      one.upscale(image, { tile: TILE }),
      two.upscale(image, { tile: TILE }),
    ]);
    const expected = await bytes(a);
    expect(await bytes(b)).toEqual(expected);
    one.dispose();
    expect(await bytes(await two.upscale(image, { tile: TILE }))).toEqual(expected);
  });

  test('dispose frees everything, and results stay; afterwards every call is refused', async () => {
    const sr = await ready();
    const output = await sr.upscale(image, { tile: TILE });
    expect(sr.context.memory.bytes).toBeGreaterThan(1e6);
    sr.dispose();
    sr.dispose();
    expect(sr.context.memory.bytes).toBe(0);
    expect((await bytes(output)).some((v, i) => i % 4 < 3 && v > 0)).toBe(true);
    await expect(sr.upscale(image)).rejects.toThrow(/disposed/);
    await expect(sr.prepare(image)).rejects.toThrow(/disposed/);
    await expect(sr.plan(image)).rejects.toThrow(/disposed/);
  });

  test('dispose in the middle of a run aborts it, and frees everything', async () => {
    const sr = await ready();
    const run = sr.upscale(image, {
      tile: TILE,
      onProgress: (p) => {
        if (p.phase === 'run' && p.done > 1) sr.dispose();
      },
    });
    const error: unknown = await run.catch((e: unknown) => e);
    expect((error as Error).name).toBe('AbortError');
    await expect.poll(() => sr.context.memory.bytes).toBe(0);
  });

  test('the networks of the latest two kinds of options stay', async () => {
    const sr = await ready();
    const { weightBytes } = sr.memory;
    for (const steps of [1, 2, 3] as const) await sr.prepare(image, { tile: TILE, steps });
    // Some weights are prepared for the number of steps: 2 % more.
    expect(sr.memory.weightBytes).toBeLessThan(1.05 * weightBytes);
    const three = sr.memory.otherBytes;
    await sr.prepare(image, { tile: TILE, steps: 2 });
    expect(sr.memory.otherBytes).toBe(three);
  });

  test.each([
    { lowMemory: false, onTile: undefined },
    { lowMemory: true, onTile: (): void => {} },
  ])('a plan tells what is taken at most, low memory $lowMemory', async ({ lowMemory, onTile }) => {
    const sr = await InvSR.open({ device, weights: model, lowMemory });
    opened.push(sr);
    const large = picture(90, 70);
    const region = { x: 20, y: 10, width: 20, height: 10 };
    const calls = [{ tile: TILE, region }, { tile: TILE }];
    const plans = await Promise.all(calls.map((options) => sr.plan(large, options)));
    expect(sr.memory).toEqual({ weightBytes: 0, otherBytes: 0, peakBytes: 0 });
    for (const [i, options] of calls.entries()) {
      const peak = await peakOf(sr, async () => {
        textures.push(await sr.upscale(large, { ...options, onTile }));
      });
      const share = peak / (plans[i]?.peakBytes ?? 0);
      expect(share).toBeLessThanOrEqual(1);
      // Measured: 0.87 and 0.99; with one network at a time 0.72 and 0.91.
      expect(share).toBeGreaterThan(0.6);
    }
  });

  test('a plan counts the images that a call makes, by their formats', async () => {
    const sr = await ready();
    const small = picture(12, 10);
    const [pixels, results] = [12 * 10, 48 * 40];
    const { STORAGE } = GPUBufferUsage;
    const made: GPUTexture[] = [];
    const buffer = device.createBuffer({ size: 16 * results, usage: STORAGE });
    const create = device.createTexture.bind(device);
    const spy = vi.spyOn(device, 'createTexture').mockImplementation((descriptor) => {
      const texture = create(descriptor);
      if (texture.label.startsWith('invsr/')) made.push(texture);
      return texture;
    });
    try {
      const onDevice = textureOf(device, small);
      textures.push(onDevice);
      const floats = { buffer, width: 48, height: 40, format: 'rgba32float' } as const;
      const least = (await sr.plan(onDevice, { tile: TILE, output: floats })).imageBytes;
      const unused = new Set<number>();
      const cases: [ImageInput & ImageSize, UpscaleOptions<GpuImage>, bytes: number][] = [
        [small, {}, 4 * pixels + 4 * results],
        [onDevice, {}, 4 * results],
        [onDevice, { outputTransfer: 'linear' }, 8 * results],
        [onDevice, { inputTransfer: 'linear' }, 8 * results],
        [small, { output: floats }, 4 * pixels],
        [onDevice, { output: floats, outputTransfer: 'linear' }, 0],
      ];
      for (const [input, options, bytes] of cases) {
        const plan = await sr.plan(input, { tile: TILE, ...options });
        expect(plan.imageBytes - least).toBe(bytes);
        const peak = await peakOf(sr, async () => {
          const output = await sr.upscale(input, { tile: TILE, ...options });
          if ('createView' in output) textures.push(output);
        });
        unused.add(plan.peakBytes - peak);
        const sizes = made
          .splice(0)
          .map(({ width, height, format }) => width * height * (format === 'rgba16float' ? 8 : 4));
        expect(sizes.reduce((a, b) => a + b, 0)).toBe(bytes);
      }
      expect(unused.size).toBe(1); // what else is planned for is the same
    } finally {
      spy.mockRestore();
      buffer.destroy();
    }
  });

  test("load prepares a full batch of tiles: its first call compiles the images' passes only", async () => {
    const { device: own } = await openTestDevice(adapter);
    const tiny = await openModel(tinyModel(), anyPrompt);
    const options = { device: own, weights: tiny, tile: TILE, tileBatch: 2, overlap: 0 };
    const sr = await InvSR.load(options);
    const { otherBytes } = sr.memory;
    const compile = vi.spyOn(own, 'createComputePipelineAsync');
    const output = await sr.upscale(picture(2 * TILE, TILE));
    expect(compile.mock.calls.map(([{ label }]) => label)).toEqual(['invsr/image']);
    expect(sr.memory.otherBytes).toBe(otherBytes);
    output.destroy();
    sr.dispose();
    own.destroy();
  });

  test('no memory left on the device: DeviceError that says so, nothing stays, and the next call can go on', async () => {
    const sr = await ready();
    const before = sr.memory.otherBytes;
    // Shortage cannot be had on demand: what the scopes of allocations tell is replaced.
    const filters: GPUErrorFilter[] = [];
    let [allocations, fullAt] = [0, 0];
    const [push, pop] = [device.pushErrorScope.bind(device), device.popErrorScope.bind(device)];
    const pushed = vi.spyOn(device, 'pushErrorScope').mockImplementation((filter) => {
      filters.push(filter);
      push(filter);
    });
    const popped = vi.spyOn(device, 'popErrorScope').mockImplementation(async () => {
      const isFull = filters.pop() === 'out-of-memory' && ++allocations === fullAt;
      const error = await pop();
      return isFull ? new GPUOutOfMemoryError('no room') : error;
    });
    try {
      for (;;) {
        fullAt++;
        allocations = 0;
        const end: unknown = await sr.upscale(picture(12, 10), { tile: TILE }).catch((e) => e);
        if (end instanceof GPUTexture) {
          textures.push(end);
          break;
        }
        expect(end).toBeInstanceOf(DeviceError);
        expect((end as DeviceError).problem).toMatchObject({ isMemory: true, got: 'no room' });
        expect(sr.memory.otherBytes).toBe(before);
      }
      // Each was refused once.
      expect(fullAt).toBe(allocations + 1);
      expect(allocations).toBeGreaterThan(5);
    } finally {
      pushed.mockRestore();
      popped.mockRestore();
    }
  });

  test('no memory left for a picture of the page, or to read one back: nothing else is told of it', async () => {
    const sr = await InvSR.open({ device, weights: model });
    opened.push(sr);
    const there = textureOf(device, image);
    const calls = {
      'invsr/input': () => sr.upscale(image, { tile: TILE }),
      'invsr/readback': () => readImage(device, there),
    };
    for (const [label, call] of Object.entries(calls)) {
      const shortage = shortOf(label);
      const error: unknown = await call().catch((e: unknown) => e);
      shortage.end();
      expect(error).toBeInstanceOf(DeviceError);
      expect((error as DeviceError).problem).toMatchObject({ isMemory: true, got: 'no room' });
    }
    expect(await bytes(there)).toEqual(image.data);
  });

  test.each(['before', 'while it is read'])('an image of a device lost %s', async (when) => {
    const { device: own } = await openTestDevice(adapter);
    const lost = textureOf(own, image);
    if (when === 'before') own.destroy();
    const create = own.createBuffer.bind(own);
    vi.spyOn(own, 'createBuffer').mockImplementation((given) => {
      const buffer = create(given);
      const map = buffer.mapAsync.bind(buffer);
      vi.spyOn(buffer, 'mapAsync').mockImplementation((mode) => {
        const mapped = map(mode);
        own.destroy();
        return mapped;
      });
      return buffer;
    });
    await expect(readImage(own, lost)).rejects.toThrow(DeviceLostError);
  });

  test('a lost device: DeviceLostError, for what runs, what waits and what comes', async () => {
    const { device: own } = await openTestDevice(adapter);
    const sr = await ready(own);
    const first = sr.upscale(image, {
      tile: TILE,
      onProgress: (p) => {
        if (p.phase === 'run') own.destroy();
      },
    });
    const calls = [first, sr.upscale(image, { tile: TILE })];
    const ends = await Promise.allSettled(calls);
    const errors = ends.map((end) =>
      end.status === 'rejected' ? (end.reason as Error) : undefined,
    );
    for (const error of errors) expect(error).toBeInstanceOf(DeviceLostError);
    await expect(sr.upscale(image, { tile: TILE })).rejects.toThrow(DeviceLostError);
  });
});
