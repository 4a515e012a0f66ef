/**
 * Noise belongs to a place in the image: whatever the tile's size, the overlap, the batch and the
 * padding, a latent pixel of the image is given the same numbers.
 */
import { describe, expect, test } from 'vitest';
import { planHost } from '../../src/invsr/host-plan.ts';
import type { RowSource } from '../../src/invsr/row-source.ts';
import { cutTiles } from '../../src/invsr/tile-cutter.ts';
import { latentSide } from '../../src/invsr/tile-graph.ts';
import { seedWords } from '../../src/invsr/tile-inputs.ts';
import { normalNoiseReference } from '../../src/kernels/normal-noise.ts';

/** Every number drawn for latent pixels inside the image, by place; tiles must agree where they meet. */
async function drawn(
  size: { width: number; height: number },
  tiling: { tile: number; overlap: number; tileBatch: number },
): Promise<Map<string, readonly number[]>> {
  const plan = planHost(size, { ...tiling, colorFix: 'none' });
  const lr: RowSource = {
    ...size,
    channels: 3,
    read: async (_, count) => new Float32Array(3 * count * size.width),
  };
  const side = latentSide(tiling.tile);
  const found = new Map<string, readonly number[]>();
  for await (const { count, latentOrigins } of cutTiles(plan, lr, plan.batches)) {
    const origins = Uint32Array.from(latentOrigins.flatMap(({ y, x }) => [y, x]));
    const constants = { stage: 0, height: side, width: side, channels: 4 };
    const noise = normalNoiseReference({ origins, seed: seedWords(12345) }, constants);
    expect(noise.length).toBe(count * side * side * 4);
    for (let b = 0, at = 0; b < count; b++) {
      for (let i = 0; i < side; i++) {
        for (let j = 0; j < side; j++, at += 4) {
          const y = (latentOrigins[b]!.y + i) | 0;
          const x = (latentOrigins[b]!.x + j) | 0;
          if (y < 0 || x < 0 || 2 * y >= size.height || 2 * x >= size.width) continue;
          const key = `${y} ${x}`;
          const values = [...noise.subarray(at, at + 4)];
          expect(found.get(key) ?? values).toEqual(values);
          found.set(key, values);
        }
      }
    }
  }
  expect(found.size).toBe(Math.ceil(size.height / 2) * Math.ceil(size.width / 2));
  return found;
}

describe.each([
  [70, 45],
  [33, 19],
  [9, 5],
])('%i x %i', (width, height) => {
  test.each([
    { tile: 16, overlap: 0, tileBatch: 4 },
    { tile: 16, overlap: 0.5, tileBatch: 1 },
    { tile: 24, overlap: 0.25, tileBatch: 3 },
    { tile: 64, overlap: 0.125, tileBatch: 2 },
  ])('%o', async (tiling) => {
    const size = { width, height };
    const plain = await drawn(size, { tile: 32, overlap: 0.125, tileBatch: 1 });
    expect(await drawn(size, tiling)).toEqual(plain);
  });
});
