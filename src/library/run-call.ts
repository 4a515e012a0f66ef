/**
 * One call of `InvSR.upscale` on the device.
 *
 *   image ─loadImage─▶ lr ─GPU frame─▶ final ─imageStore─▶ output
 *
 * Where the caller wants to see it grow, the output is first the enlarged `lr`, then `content` tile by tile.
 */
import type { EngineContext } from '../engine/context.ts';
import type { GpuImage, Rectangle, Transfer } from '../engine/gpu-image.ts';
import { imageStore, loadImage } from '../engine/image-pass.ts';
import { Buffers } from '../invsr/buffers.ts';
import {
  finishFrame,
  type FrameJob,
  lrBytes,
  padFrame,
  runFrame,
  runOnce,
  settledBy,
  type TileBatch,
} from '../invsr/gpu-frame.ts';
import { type ColorFix, enlargeGraph } from '../invsr/image-graphs.ts';
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
  /** Of the window's result to the region's, in whose pixels `part` is. */
  const put = (name: 'content' | 'final', part: Rectangle): Promise<void> =>
    store({
      tensor: buffers.at(name),
      stride: SCALE * width,
      origin: [part.x + SCALE * (region.x - window.x), part.y + SCALE * (region.y - window.y)],
      to: part,
    });
  const onBlended = async ({ tiles }: TileBatch): Promise<void> => {
    for (const tile of tiles) {
      const part = partOf(settledBy(frame, tile), call);
      if (!part) continue;
      await put('content', part);
      onTile?.(part, output);
    }
  };
  const job: FrameJob = {
    context,
    networks,
    plan: frame,
    buffers,
    request: {
      colorFix: call.colorFix,
      seed: options.seed,
      budgetMs: options.budgetMs,
      signal,
      onProgress: networkProgress(options.onProgress),
      onBlended: onTile && onBlended,
    },
  };
  try {
    const tensor = await buffers.create('lr', lrBytes(frame.lr));
    await source.ready;
    const { image, from, transfer } = source;
    await loadImage(device, { image, from, transfer, tensor, width, height });
    // An output that is destroyed, or of another device, is told now and not after all the work.
    await store({ tensor, stride: width, origin: [0, 0], to: { x: 0, y: 0, width: 0, height: 0 } });
    const whole = { x: 0, y: 0, width: output.width, height: output.height };
    if (onTile) {
      await runOnce(job, enlargeGraph(frame.lr));
      await put('final', whole);
      onTile(whole, output);
    }
    await padFrame(job);
    await runFrame(job);
    await finishFrame(job);
    await put('final', whole);
  } finally {
    buffers.dispose();
  }
}

/** What of a part of the window's result lies in the region's, in pixels of that. */
function partOf(
  part: Rectangle,
  { region, window }: Pick<CallPlan, 'region' | 'window'>,
): Rectangle | undefined {
  const clip = (from: number, length: number, before: number, limit: number) => {
    const start = Math.max(0, from - before);
    return { start, length: Math.min(limit, from + length - before) - start };
  };
  const left = SCALE * (region.x - window.x);
  const top = SCALE * (region.y - window.y);
  const columns = clip(part.x, part.width, left, SCALE * region.width);
  const rows = clip(part.y, part.height, top, SCALE * region.height);
  if (columns.length <= 0 || rows.length <= 0) return undefined;
  return { x: columns.start, y: rows.start, width: columns.length, height: rows.length };
}
