/**
 * The GPU frame (gpu-frame.ts) around pixels on the host.
 *
 *   pixels ─loadImage→ lr ─frame→ final ─imageStore→ pixels
 *
 * The picture is whole on the device, and so is the result: for parity with the official code, which
 * has them so. host-frame.ts takes pictures of any size.
 */
import type { ImageSize } from '../engine/gpu-image.ts';
import { imageStore, loadImage } from '../engine/image-pass.ts';
import { readBuffer } from '../engine/readback.ts';
import { Buffers } from './buffers.ts';
import {
  expectFrameFits,
  finishFrame,
  type FrameJob,
  type FrameRequest,
  lrBytes,
  padFrame,
  planFrame,
  lrSize,
  runFrame,
} from './gpu-frame.ts';
import type { Tensors } from './model.ts';
import { planOfficialFrame } from './official-frame.ts';
import { checkDraws, type Dump, dumpNamed, writeDraws } from './parity.ts';
import { checkPixels, type Pixels } from './pixels.ts';
import { SCALE } from './tile-graph.ts';
import type { TileNetworks } from './tile-networks.ts';
import type { UpscaleProgress, UpscaleSettings } from './upscale-settings.ts';

/** The frame's options, with `tile` as the networks have it, and what may differ from picture to picture. */
export interface PixelsOptions extends Pick<
  Required<UpscaleSettings>,
  'tile' | 'tileBatch' | 'overlap' | 'colorFix' | 'official'
> {
  /** A whole number from 0: same seed, same noise, same picture. @default 12345 */
  readonly seed?: number | undefined;
  /** Parity: every random draw, as `draws.call<k>.draw0` and `draw1`, NCHW. */
  readonly noise?: Tensors | undefined;
  /** Filled with every stage as float32 NCHW, by the goldens' names. */
  readonly dump?: Dump | undefined;
  /** Ends the work at its next pause, with the signal's reason (AbortError). */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: UpscaleProgress) => void) | undefined;
}

/** rgba8 of four times the input's width and height, alpha 255. */
export interface PixelsResult extends Pixels {
  /** Wall time of `prepare` (weights and pipelines), `load` (pixels), `tiles` and `finish`. */
  readonly milliseconds: Readonly<Record<string, number>>;
}

/**
 * rgba8 [H, W] → rgba8 [4H, 4W]; the input's alpha is not looked at. Calls on the same networks take
 * turns with them, each with its images on the device meanwhile.
 *
 * RangeError: not an rgba8 image. ImageSizeError: too large for this device. DeviceError: no memory, or a limit is too low.
 * WeightError, CheckpointError, TimestepError: the model or the timesteps do not fit. ParityError:
 * `noise` does not fit. CompileError, DeviceLostError. The signal's reason where it aborts.
 */
export async function upscalePixels(
  networks: TileNetworks,
  input: Pixels,
  options: PixelsOptions,
): Promise<PixelsResult> {
  const { tile, tileBatch, official, noise, dump, signal, onProgress } = options;
  const { context, model } = networks;
  const { latentChannels } = model.configs.vae;
  checkPixels(input);
  const lr = lrSize(input);
  expectFrameFits(context.capabilities, lr);
  const plan = (official ? planOfficialFrame : planFrame)(lr, options);
  if (noise) {
    const count = plan.grid.tiles.length;
    checkDraws(noise, { count, tileBatch, tile, latentChannels });
  }
  const request: FrameRequest = {
    ...options,
    writeDraws:
      noise &&
      ((own, { call, count }) => writeDraws(own, noise, { call, count, tile, latentChannels })),
    dump: dump && ((runner, own, prefix) => dumpNamed(context.device, runner, own, prefix, dump)),
  };
  const milliseconds: Record<string, number> = {};
  const timed = async <T>(stage: string, work: () => Promise<T>): Promise<T> => {
    const start = performance.now();
    const result = await work();
    milliseconds[stage] = Math.round(performance.now() - start);
    return result;
  };
  const buffers = new Buffers(context);
  const job = { networks, plan, buffers, request };
  try {
    await timed('prepare', async () => {
      const kind = noise ? 'given' : 'generated';
      await networks.prepare(plan.batches[0]?.count ?? 1, { ...request, noise: kind });
    });
    await timed('load', async () => {
      await load(input, job);
      await padFrame(job);
    });
    await timed('tiles', () => runFrame(job));
    signal?.throwIfAborted();
    onProgress?.({ stage: 'finish', done: 0, total: 1 });
    const result = await timed('finish', () => finish(input, job));
    onProgress?.({ stage: 'finish', done: 1, total: 1 });
    return { ...result, milliseconds };
  } finally {
    buffers.dispose();
  }
}

/** Pixels → `lr`. */
async function load(
  { pixels, width, height }: Pixels,
  { networks, plan, buffers }: FrameJob,
): Promise<void> {
  await buffers.write('pixels', pixels);
  await loadImage(networks.context.device, {
    image: { buffer: buffers.at('pixels'), width, height, format: 'rgba8unorm' },
    from: { x: 0, y: 0, width, height },
    transfer: 'srgb',
    tensor: await buffers.create('lr', lrBytes(plan.lr)),
    ...plan.lr,
  });
}

/** Colour fix and 8-bit pixels. */
async function finish({ width, height }: ImageSize, job: FrameJob): Promise<Pixels> {
  await finishFrame(job);
  const { networks, buffers, plan } = job;
  const { device } = networks.context;
  const size = { width: width * SCALE, height: height * SCALE };
  const bytes = 4 * size.width * size.height;
  const buffer = await buffers.create('result', bytes);
  const store = await imageStore(device, { buffer, ...size, format: 'rgba8unorm' }, 'srgb');
  await store({
    tensor: buffers.at('final'),
    stride: plan.lr.width * SCALE,
    origin: [0, 0],
    to: { x: 0, y: 0, ...size },
  });
  return { ...size, pixels: new Uint8Array(await readBuffer(device, buffer, bytes)) };
}
