/** The worker's side of the messages: what does not follow from what came before is refused by its type. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { serve } from '../../src/library/worker.ts';
import type { FromPage, FromWorker, SentImage } from '../../src/library/worker-protocol.ts';
import { concatBytes, safetensorsParts } from '../../src/weights/safetensors-write.ts';
import { adapterNames, openTestDevice } from '../harness/device.ts';
import { anyPrompt, type EditWeight, scaled, tinyFiles } from '../harness/synthetic.ts';

let device: GPUDevice;
beforeAll(async () => {
  ({ device } = await openTestDevice(adapterNames.at(-1) ?? 'swiftshader'));
  const { limits, features, adapterInfo: info } = device;
  const adapter = { limits, features, info, requestDevice: async () => device };
  vi.stubGlobal('navigator', { gpu: { requestAdapter: async () => adapter } });
});
afterAll(() => {
  vi.unstubAllGlobals();
  device.destroy();
});

/** A worker, and how to ask it: what it answers to a call. */
function start() {
  const { port1, port2 } = new MessageChannel();
  serve(port1);
  port1.start();
  const waiting = new Map<number, (answer: FromWorker) => void>();
  const told: FromWorker[] = [];
  port2.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => {
    const isAnswer = data.kind === 'done' || data.kind === 'failed';
    if (isAnswer) waiting.get(data.call)?.(data);
    else told.push(data);
  });
  port2.start();
  const ask = (message: FromPage): Promise<FromWorker> =>
    new Promise((resolve) => {
      waiting.set(message.call, resolve);
      port2.postMessage(message);
    });
  return {
    ask,
    told,
    post: (message: FromPage) => port2.postMessage(message),
    close: () => port1.close(),
  };
}

const files = (edit?: EditWeight): ReadonlyMap<string, Blob> => {
  const prompt = concatBytes(safetensorsParts(anyPrompt));
  const tiny = tinyFiles(edit).set('prompt_embeds.safetensors', prompt);
  return new Map([...tiny].map(([path, bytes]) => [path, new Blob([bytes])]));
};

const size = { width: 16, height: 16 };
const refused = (text: string) => ({
  kind: 'failed',
  error: { name: 'InvalidStateError', message: expect.stringContaining(text) },
});

test('calls before a model is open, a second model, and a canvas that was never sent', async () => {
  const { ask, post, close } = start();
  const input: SentImage = { ...size, data: new Uint8Array(4 * 16 * 16) };
  const upscale = { kind: 'upscale', input, tiles: false, settings: { tile: 16 } } as const;
  const open = { kind: 'open', weights: { name: 'tiny', files: files() }, settings: {} } as const;
  try {
    post({ kind: 'abort', call: 99 }); // of nothing: passed over
    for (const [call, message] of [
      { kind: 'plan', size, settings: {} } as const,
      { kind: 'prepare', size, settings: {} } as const,
      upscale,
    ].entries()) {
      expect(await ask({ ...message, call })).toMatchObject(refused('no model is open'));
    }
    expect(await ask({ ...open, call: 3 })).toMatchObject({ kind: 'done' });
    expect(await ask({ ...open, call: 4 })).toMatchObject(refused('opened before'));
    const stray = await ask({ ...upscale, canvas: { number: 7 }, call: 5 });
    expect(stray).toMatchObject(refused('canvas 7'));
    // It goes on as if nothing had been.
    const planned = await ask({ kind: 'plan', size, settings: { tile: 16 }, call: 6 });
    expect(planned).toMatchObject({ kind: 'done', plan: { tile: 16 } });
  } finally {
    close();
  }
});

test('a network that goes on in f32 is told to the page, in the middle of the call', async () => {
  const shown: GPUTexture[] = [];
  // Node has no canvases: this one shows nothing, and its picture is any that can be transferred.
  vi.stubGlobal(
    'OffscreenCanvas',
    class {
      width = 1;
      height = 1;
      getContext = () => ({
        canvas: this,
        configure: () => {},
        getCurrentTexture: () => {
          const { width, height } = this;
          const usage = GPUTextureUsage.COPY_DST;
          const texture = device.createTexture({
            size: [width, height],
            format: 'rgba8unorm',
            usage,
          });
          shown.push(texture);
          return texture;
        },
      });
      transferToImageBitmap = () => new ArrayBuffer(1);
    },
  );
  const { ask, told, close } = start();
  const layer = 'vae.decoder.up_blocks.1.resnets.0.conv1';
  const weights = { name: 'wide', files: files(scaled(`${layer}.weight`, 2 ** 15)) };
  const input: SentImage = { ...size, data: new Uint8Array(4 * 16 * 16) };
  try {
    const settings = { precision: 'f16', check: true } as const;
    expect(await ask({ kind: 'open', weights, settings, call: 0 })).toMatchObject({ kind: 'done' });
    const upscale = { kind: 'upscale', input, tiles: false, settings: { tile: 16 } } as const;
    expect(await ask({ ...upscale, call: 1 })).toMatchObject({ kind: 'done' });
    const message = `${layer} leaves the range of f16; the decode stage goes on in f32`;
    const warnings = told.filter(({ kind }) => kind === 'warning');
    expect(warnings).toEqual([{ kind: 'warning', warning: { stage: 'decode', layer, message } }]);
    expect(shown.map(({ width, height }) => [width, height])).toEqual([[64, 64]]);
  } finally {
    for (const texture of shown) texture.destroy();
    close();
  }
});

test('no WebGPU in a worker, or no adapter', async () => {
  const real = globalThis.navigator;
  const open = { kind: 'open', weights: 'https://example.org/', settings: {} } as const;
  for (const gpu of [undefined, { requestAdapter: async () => null }]) {
    vi.stubGlobal('navigator', { gpu });
    const { ask, close } = start();
    const error = { name: 'DeviceError', message: expect.stringContaining('WebGPU in a worker') };
    expect(await ask({ ...open, call: 0 })).toMatchObject({ kind: 'failed', error });
    close();
  }
  vi.stubGlobal('navigator', real);
});
