/**
 * An output that its caller sees grow (`onTile`): first the enlarged input, then `content`, each tile where no
 * later one touches it.
 */
import type { GpuImage, ImageSize, Rectangle } from '../engine/gpu-image.ts';
import { GraphBuilder } from '../graph/builder.ts';
import type { Graph } from '../graph/graph.ts';
import { sizeOfImage } from '../invsr/blocks.ts';
import { type FrameJob, type FramePlan, runOnce, type PlacedBatch } from '../invsr/gpu-frame.ts';
import { image, resultType } from '../invsr/image-graphs.ts';
import { SCALE } from '../invsr/tile-graph.ts';
import type { Tile } from '../invsr/tiles.ts';
import type { CallPlan } from './plan-call.ts';
import { type Call, type Put, allOf } from './run-call.ts';
import type { UpscaleOptions } from './types.ts';

export interface Growing {
  /** Before the first tile. */
  readonly begin: (job: FrameJob) => Promise<void>;
  readonly onBlended: (batch: PlacedBatch) => Promise<void>;
}

export const growing = <Output extends GpuImage>(
  call: Call<Output>,
  onTile: NonNullable<UpscaleOptions<Output>['onTile']>,
  put: Put,
): Growing => ({
  begin: async (job) => {
    const whole = allOf(call.output);
    await runOnce(job, enlargeGraph(call.frame.lr));
    await put('final', whole);
    onTile(whole, call.output);
  },
  onBlended: async ({ tiles }) => {
    for (const tile of tiles) {
      const part = partOf(settledBy(call.frame, tile), call);
      if (!part) continue;
      await put('content', part);
      onTile(part, call.output);
    }
  },
});

/** `lr` → `final` f32 [1, 4H, 4W, 4], enlarged without the networks: what is shown until they are done. */
export function enlargeGraph(size: ImageSize): Graph {
  const g = new GraphBuilder({ precision: 'f32' });
  const type = resultType(size);
  const lr = g.external('lr', image(size));
  g.output('final', g.emit('bicubicAntialias', 'enlarged', { x: lr }, sizeOfImage(type), type));
  return g.build();
}

/**
 * The part of `content` that is settled once `tile` has been blended, tiles coming in row-major order,
 * in pixels of the result: from its start to the starts of its neighbours. All of these parts tile it.
 */
export function settledBy({ lr, padding, grid }: FramePlan, { y, x }: Tile) {
  const starts = (axis: 'y' | 'x'): number[] => [...new Set(grid.tiles.map((t) => t[axis]))];
  const span = (start: number, all: readonly number[], before: number, length: number) => {
    const at = (v: number): number => SCALE * Math.min(length, Math.max(0, v - before));
    const next = all.find((other) => other > start);
    const from = at(start);
    return { from, length: (next === undefined ? SCALE * length : at(next)) - from };
  };
  const rows = span(y, starts('y'), padding.top, lr.height);
  const columns = span(x, starts('x'), padding.left, lr.width);
  return { x: columns.from, y: rows.from, width: columns.length, height: rows.length };
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
