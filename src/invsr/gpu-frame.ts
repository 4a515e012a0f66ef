/**
 * The GPU frame: an image that is whole on the device, through the networks tile by tile.
 *
 *   lr ─padGraph→ image ─cropGraph→ tiles ─networks→ patch ─blendGraph→ content ─finishGraph→ final
 *
 *   lr      f32 [1, H, W, 4]      R, G, B in [0, 1], 0: what whoever owns the frame fills in
 *   final   f32 [1, 4H, 4W, 4]    what it takes out
 *
 * Who has pixels on the host is `upscalePixels`, who has images on the device `InvSR` (library/invsr.ts).
 * The networks' plans depend on the tile batch only and are kept; the small plans around them follow
 * the image's size.
 */
import { ImageSizeError } from './errors.ts';
import { MAX_WORKGROUPS_PER_DIMENSION } from '../engine/kernel.ts';
import type { Capabilities } from '../engine/device.ts';
import type { EngineContext } from '../engine/context.ts';
import type { ImageSize } from '../engine/gpu-image.ts';
import type { Plan } from '../engine/plan.ts';
import { inSlices } from '../engine/slices.ts';
import type { Graph } from '../graph/graph.ts';
import type { Buffers } from './buffers.ts';
import { blendGraph, type ColorFix, cropGraph, finishGraph, padGraph } from './image-graphs.ts';
import { type PaddingPlan, planPadding } from './padding.ts';
import { createRunner, planning, type Runner } from './runner.ts';
import { SCALE } from './tile-graph.ts';
import { DEFAULT_SEED, writePlaces, writeSeed } from './tile-inputs.ts';
import type { TileJob, TileNetworks, TileRequest } from './tile-networks.ts';
import type { DumpStage } from './tile-plans.ts';
import { type Tile, type TileGrid, evenGrid } from './tiles.ts';
import type { UpscaleSettings } from './upscale-settings.ts';

export interface FrameOptions extends Pick<
  Required<UpscaleSettings>,
  'tile' | 'tileBatch' | 'overlap'
> {
  /** Where the first pixel lies in the image whose places noise is keyed by; even. @default 0, 0 */
  readonly origin?: Tile;
}

/** The geometry of a frame. */
export interface FramePlan {
  /** Without padding, each side at least 2. */
  readonly lr: ImageSize;
  readonly tile: number;
  /** Noise and colours are the official code's too. */
  readonly official: boolean;
  readonly origin: Tile;
  readonly padding: PaddingPlan;
  readonly grid: TileGrid;
  readonly batches: readonly PlacedBatch[];
}

export interface PlacedBatch extends TileJob {
  /** Counts tiles from 0: the batch's first. */
  readonly first: number;
  /** Counts batches from 0. */
  readonly call: number;
  readonly tiles: readonly Tile[];
}

/** In our manner; official-frame.ts has the other. */
export function planFrame(
  lr: ImageSize,
  { tile, tileBatch, overlap, origin = { y: 0, x: 0 } }: FrameOptions,
): FramePlan {
  const padding = planPadding(lr.height, lr.width, tile, { even: true });
  const grid = evenGrid(padding, { tile, overlap, scale: SCALE });
  const batches = batchesOf(grid.tiles, tileBatch);
  return { lr, tile, official: false, origin, padding, grid, batches };
}

/** Tiles in groups of `size`, the last one smaller. */
export function batchesOf(tiles: readonly Tile[], size: number): PlacedBatch[] {
  const batches: PlacedBatch[] = [];
  for (let first = 0; first < tiles.length; first += size) {
    const group = tiles.slice(first, first + size);
    batches.push({ call: batches.length, first, count: group.length, tiles: group });
  }
  return batches;
}

/** Of an image: those of its result are workgroups of one dispatch (kernels/elementwise.ts). */
const MAX_ROWS = Math.floor(MAX_WORKGROUPS_PER_DIMENSION / SCALE);

/** ImageSizeError unless the result of an image of this size fits one storage buffer, and its rows one dispatch. */
export function expectFrameFits(
  { limits }: Pick<Capabilities, 'limits'>,
  { width, height }: ImageSize,
): void {
  const limit = limits.maxStorageBufferBindingSize;
  const isHigh = height > MAX_ROWS;
  if (!isHigh && resultBytes({ width, height }) <= limit) return;
  const pixels = Math.floor(limit / resultBytes({ width: 1, height: 1 }));
  const reason = isHigh
    ? `${MAX_ROWS} rows are possible`
    : `this adapter's buffers of ${limit} bytes allow ${pixels} (such as ${Math.floor(Math.sqrt(pixels))} squared)`;
  throw new ImageSizeError(
    `the image has ${width}x${height} pixels; ${reason}: cut the image into parts or make it smaller`,
  );
}

/** The size of `lr` for an image: a side of one pixel has nothing to reflect, so it is doubled; the result is cropped. */
export const lrSize = ({ width, height }: ImageSize): ImageSize => ({
  width: Math.max(2, width),
  height: Math.max(2, height),
});

/** Bytes of `lr`. */
export const lrBytes = ({ width, height }: ImageSize): number =>
  width * height * 4 * Float32Array.BYTES_PER_ELEMENT;

/** Bytes of `content` and of `final`. */
const resultBytes = (lr: ImageSize): number => SCALE * SCALE * lrBytes(lr);

export interface FrameRequest extends Omit<TileRequest, 'noise' | 'count'> {
  readonly colorFix: ColorFix;
  readonly seed?: number | undefined;
  /** Writes `draw0` and `draw1` of a batch. @default the generator, by `seed` */
  readonly writeDraws?: ((buffers: Buffers, batch: PlacedBatch) => Promise<void>) | undefined;
  /** A batch is part of `content`; later ones add to it where they overlap (`settledBy`). */
  readonly onBlended?: ((batch: PlacedBatch) => Promise<void>) | undefined;
}

/** A frame and what it runs on. `buffers` has `lr`. */
export interface FrameJob {
  readonly networks: TileNetworks;
  readonly plan: FramePlan;
  readonly buffers: Buffers;
  readonly request: FrameRequest;
}

/** `lr` → `image` where it must be padded. */
export async function padFrame(job: FrameJob): Promise<void> {
  const { lr, padding } = job.plan;
  const graph = padGraph(lr, padding);
  if (graph) await runOnce(job, graph);
}

/** `image` → `content`. */
export async function runFrame({ networks, plan, ...job }: FrameJob): Promise<void> {
  const { buffers, request } = job;
  const { lr, tile, padding, grid, official, origin } = plan;
  const { signal, writeDraws, seed = DEFAULT_SEED, budgetMs, onBlended } = request;
  const small = new Map<string, Runner>();
  const around = async (kind: 'crop' | 'blend', batch: number): Promise<Runner> => {
    const known = small.get(`${kind} ${batch}`);
    if (known) return known;
    const graph = kind === 'crop' ? cropGraph(padding, batch, tile) : blendGraph(lr, batch, tile);
    const runner = await createRunner(networks.context, graph, { signal });
    small.set(`${kind} ${batch}`, runner);
    return runner;
  };
  // Places in the whole image, whatever was cut off or padded before this one.
  const shifted = { ...padding, top: padding.top - origin.y, left: padding.left - origin.x };
  const begin = async (own: Buffers, batch: PlacedBatch): Promise<void> => {
    const { count, first, tiles } = batch;
    await writePlaces(own, tiles, { tile, grid, padding });
    if (writeDraws) await writeDraws(own, batch);
    else {
      const strideOfOwn = official ? tile : undefined;
      await writeSeed(own, tiles, { seed, padding: shifted, strideOfOwn, first });
    }
    await (await around('crop', count)).run(own, { signal, budgetMs });
  };
  try {
    await buffers.create('content', resultBytes(lr));
    const run = {
      ...request,
      noise: writeDraws ? 'given' : 'generated',
      count: grid.tiles.length,
      shared: buffers,
    } as const;
    for await (const { job: batch, buffers: own } of networks.run(plan.batches, begin, run)) {
      await (await around('blend', batch.count)).run(own, { signal, budgetMs });
      await onBlended?.(batch);
    }
  } finally {
    for (const runner of small.values()) runner.dispose();
  }
}

/** `content` → `final`: colour fix, values in [0, 1]. */
export async function finishFrame(job: FrameJob): Promise<void> {
  const { plan, request } = job;
  const { colorFix, dump } = request;
  await runOnce(job, finishGraph(plan.lr, { ...plan, colorFix }), dump);
}

/** The small plans around the networks: what they take of memory, and to be compiled ahead. */
export async function plansAround(
  context: EngineContext,
  frame: FramePlan,
  colorFix: ColorFix,
): Promise<readonly Plan[]> {
  const { lr, tile, padding, batches } = frame;
  const count = batches[0]?.count ?? 1;
  const pad = padGraph(lr, padding);
  const graphs = [
    ...(pad ? [pad] : []),
    cropGraph(padding, count, tile),
    blendGraph(lr, count, tile),
    finishGraph(lr, { ...frame, colorFix }),
  ];
  const plans: Plan[] = [];
  for (const graph of graphs) plans.push(await inSlices(planning(context, graph)));
  return plans;
}

/** One of the small graphs, used once. */
export async function runOnce(
  { networks, buffers, request }: Omit<FrameJob, 'plan'>,
  graph: Graph,
  dump?: DumpStage,
): Promise<void> {
  const { signal, budgetMs } = request;
  const runner = await createRunner(networks.context, graph, {
    signal,
    keep: () => dump !== undefined,
  });
  try {
    await runner.run(buffers, { signal, budgetMs });
    await dump?.(runner, buffers, '');
  } finally {
    runner.dispose();
  }
}
