import { format, type TensorType } from '../../src/engine/kernel.ts';
import { blendEdges, blendEdgesReference } from '../../src/kernels/blend-edges.ts';
import type { KernelCase } from './cases.ts';

interface Neighbours {
  readonly overlap: number;
  /** Rows of the tile above; 0: there is none. */
  readonly aboveHeight?: number;
  /** Columns of the tile at the left; 0: there is none. */
  readonly leftWidth?: number;
}

const blendEdgesCase = (
  tile: TensorType,
  { overlap, aboveHeight = 0, leftWidth = 0 }: Neighbours,
  tags: KernelCase['tags'],
): KernelCase => {
  const { dtype } = tile;
  const [n = 1, h = 1, w = 1, c = 4] = tile.shape;
  const above: TensorType | undefined =
    aboveHeight > 0 ? { dtype, shape: [n, aboveHeight, w, c] } : undefined;
  const left: TensorType | undefined =
    leftWidth > 0 ? { dtype, shape: [n, h, leftWidth, c] } : undefined;
  return {
    name: `blendEdges ${format(tile)} ${JSON.stringify({ overlap, aboveHeight, leftWidth })}`,
    tags,
    inputs: { tile, ...(above && { above }), ...(left && { left }) },
    kernel: (target) => blendEdges({ tile, above, left }, { overlap }, target),
    reference: (data) =>
      blendEdgesReference(
        {
          tile: data['tile'] as Float32Array,
          above: data['above'] as Float32Array | undefined,
          left: data['left'] as Float32Array | undefined,
        },
        tile.shape,
        { overlap, aboveHeight, leftWidth },
      ),
  };
};

export const cases: readonly KernelCase[] = [
  blendEdgesCase({ dtype: 'f32', shape: [1, 3, 5, 4] }, { overlap: 2 }, ['edge']),
  blendEdgesCase({ dtype: 'f32', shape: [2, 5, 7, 8] }, { overlap: 3, aboveHeight: 9 }, ['edge']),
  blendEdgesCase({ dtype: 'f16', shape: [2, 5, 7, 8] }, { overlap: 3, leftWidth: 11 }, ['edge']),
  // One column: wholly the neighbour's last.
  blendEdgesCase(
    { dtype: 'f32', shape: [2, 6, 1, 8] },
    { overlap: 2, aboveHeight: 8, leftWidth: 7 },
    ['edge'],
  ),
  // Neighbours narrower than the overlap.
  blendEdgesCase(
    { dtype: 'f16', shape: [1, 12, 9, 4] },
    { overlap: 8, aboveHeight: 5, leftWidth: 3 },
    ['edge'],
  ),
  blendEdgesCase(
    { dtype: 'f32', shape: [1, 128, 128, 8] },
    { overlap: 32, aboveHeight: 128, leftWidth: 128 },
    ['real', 'perf'],
  ),
];
