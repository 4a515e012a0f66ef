/**
 * One call of `InvSR.upscale` on the device.
 *
 *   image ─loadImage─▶ lr ─GPU frame─▶ final ─imageStore─▶ output
 *
 * Where the caller wants to see the output grow, growing.ts comes in.
 */
import type { EngineContext } from '../engine/context.ts';
import type { GpuImage, ImageSize, Rectangle, Transfer } from '../engine/gpu-image.ts';
import { imageStore, loadImage } from '../engine/image-pass.ts';
import { unlessAborted } from '../engine/unless-aborted.ts';
import { Buffers } from '../invsr/buffers.ts';
import { finishFrame, type FrameJob, lrBytes, padFrame, runFrame } from '../invsr/gpu-frame.ts';
import type { ColorFix } from '../invsr/image-graphs.ts';
import { SCALE } from '../invsr/tile-graph.ts';
import type { TileNetworks } from '../invsr/tile-networks.ts';
import type { Source } from './input.ts';
import type { CallPlan } from './plan-call.ts';
import { networkProgress } from './progress.ts';
import type { UpscaleOptions } from './types.ts';

export interface Call<Output extends GpuImage> extends CallPlan {
  readonly options: Pick<UpscaleOptions, 'seed' | 'budgetMs' | 'onProgress'>;
  readonly colorFix: ColorFix;
  readonly source: Source;
  readonly output: Output;
  readonly outputTransfer: Transfer;
  readonly onTile: UpscaleOptions<Output>['onTile'];
  readonly signal: AbortSignal;
}

/** Of the window's result to the region's, in whose pixels `part` is. */
export type Put = (name: 'content' | 'final', part: Rectangle) => Promise<void>;

export const allOf = ({ width, height }: ImageSize): Rectangle => ({
  x: 0,
  y: 0,
  width,
  height,
});

/** What `onTile` calls for, loaded by `prepare` too. The signal's reason, at once. */
export const loadGrowing = (signal: AbortSignal): Promise<typeof import('./growing.ts')> =>
  unlessAborted(import('./growing.ts'), signal);

/** Fills the output; resolves when the last submit is queued. */
export async function runCall<Output extends GpuImage>(
  context: EngineContext,
  networks: TileNetworks,
  call: Call<Output>,
): Promise<void> {
  const { options, region, window, frame, source, output, onTile, signal } = call;
  const { device } = context;
  const { width, height } = frame.lr;
  const buffers = new Buffers(context);
  const store = await imageStore(device, output, call.outputTransfer);
  const put: Put = (name, part) =>
    store({
      tensor: buffers.at(name),
      stride: SCALE * width,
      origin: [part.x + SCALE * (region.x - window.x), part.y + SCALE * (region.y - window.y)],
      to: part,
    });
  const growing = onTile && (await loadGrowing(signal)).growing(call, onTile, put);
  const job: FrameJob = {
    networks,
    plan: frame,
    buffers,
    request: {
      colorFix: call.colorFix,
      seed: options.seed,
      budgetMs: options.budgetMs,
      signal,
      onProgress: networkProgress(options.onProgress),
      onBlended: growing?.onBlended,
    },
  };
  try {
    const tensor = await buffers.create('lr', lrBytes(frame.lr));
    await source.ready;
    const { image, from, transfer } = source;
    await loadImage(device, { image, from, transfer, tensor, width, height });
    // An output that is destroyed, or of another device, is told now and not after all the work.
    await store({ tensor, stride: width, origin: [0, 0], to: { x: 0, y: 0, width: 0, height: 0 } });
    await growing?.begin(job);
    await padFrame(job);
    await runFrame(job);
    await finishFrame(job);
    await put('final', allOf(output));
  } finally {
    buffers.dispose();
  }
}
