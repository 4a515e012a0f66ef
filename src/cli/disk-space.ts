/** Whether a job fits the disk, before it starts. */
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SCALE } from '../invsr/tile-graph.ts';
import type { HostPlan } from '../invsr/host-plan.ts';
import { WriteError } from './errors.ts';
import { pixelBytes, type VipsLayout } from './vips-file.ts';

/** Bytes beside the output at the worst moment: input, rows, two rows of tiles, and the result itself. */
export function diskBytes(plan: HostPlan, input: VipsLayout, result: VipsLayout): number {
  const columns = new Set(plan.grid.tiles.map(({ x }) => x)).size;
  const patches = 2 * columns * (plan.tile * SCALE) ** 2 * 4 * Float32Array.BYTES_PER_ELEMENT;
  return pixelBytes(input) + 2 * pixelBytes(result) + patches;
}

/** One sentence where `bytes` are more than the disk of `output` has left. */
export async function expectSpace(output: string, bytes: number): Promise<void> {
  const disk = await statfs(dirname(output)).catch(() => undefined);
  if (!disk) return; // the system does not tell
  const free = disk.bavail * disk.bsize;
  if (bytes <= free) return;
  throw new WriteError(
    `${output} needs about ${gigabytes(bytes)} of disk while it is made, ${gigabytes(free)} are free; choose another place or make room`,
  );
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(bytes < 1e10 ? 2 : 0)} GB`;
