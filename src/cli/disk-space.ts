/** Whether a job fits the disk, before it starts. */
import { SCALE } from '../invsr/tile-graph.ts';
import type { HostPlan } from '../invsr/host-plan.ts';
import { freeBytesAt } from '../weights/free-space.ts';
import { WriteError } from './errors.ts';
import { humanBytes } from './transfer-progress.ts';
import { pixelBytes, type VipsLayout } from './vips-file.ts';

/** Bytes beside the output at the worst moment: input, rows, two rows of tiles, and the result itself. */
export function diskBytes(plan: HostPlan, input: VipsLayout, result: VipsLayout): number {
  const columns = new Set(plan.grid.tiles.map(({ x }) => x)).size;
  const patches = 2 * columns * (plan.tile * SCALE) ** 2 * 4 * Float32Array.BYTES_PER_ELEMENT;
  return pixelBytes(input) + 2 * pixelBytes(result) + patches;
}

/** WriteError where `bytes` are more than the disk of `output` (a file or a folder) has left. */
export async function expectSpace(output: string, bytes: number): Promise<void> {
  const free = await freeBytesAt(output);
  if (free === undefined || bytes <= free) return;
  throw new WriteError(
    `${output} needs about ${humanBytes(bytes)} of disk while it is made, ${humanBytes(free)} are free; choose another place or make room`,
  );
}
