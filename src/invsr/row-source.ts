/**
 * An image on the host, read as strips of rows: from memory, from a file, or resized on the way.
 * Channels are R, G, B and, where the image has one, alpha; values f32 in [0, 1].
 */
import type { ImageSize } from '../engine/gpu-image.ts';
import type { Pixels } from './pixels.ts';
import { Resizer, type Strip } from './resample.ts';

export interface RowSource extends ImageSize {
  readonly channels: 3 | 4;
  /** Rows [first, first + count) as [count, W, channels]. */
  read(first: number, count: number): Promise<Float32Array<ArrayBuffer>>;
}

/** The rows of a window, for a Resizer. */
export const readStrip = async (
  source: RowSource,
  { first, count }: { readonly first: number; readonly count: number },
): Promise<Strip> => ({
  first,
  count,
  channels: source.channels,
  data: await source.read(first, count),
});

/** rgba8 pixels; their alpha is not looked at. */
export function pixelRows({ width, height, pixels }: Pixels): RowSource {
  return {
    width,
    height,
    channels: 3,
    read: async (first, count) => {
      const rows = new Float32Array(3 * count * width);
      for (let i = 0, from = 4 * first * width; i < rows.length; i += 3, from += 4) {
        for (let c = 0; c < 3; c++) rows[i + c] = (pixels[from + c] ?? 0) / 255;
      }
      return rows;
    },
  };
}

/** R, G and B of a source, enlarged to `size`; each pixel is `1 / scale` of a source pixel wide. */
export function enlargedRows(
  source: RowSource,
  size: ImageSize,
  scale: Readonly<Record<keyof ImageSize, number>>,
): RowSource {
  const resizer = new Resizer(
    { from: source.height, to: size.height, ratio: 1 / scale.height },
    { from: source.width, to: size.width, ratio: 1 / scale.width },
  );
  return {
    ...size,
    channels: source.channels,
    read: async (first, count) => {
      const window = resizer.window(first, first + count);
      const rows = resizer.rows(await readStrip(source, window), first, first + count);
      // The kernel overshoots; networks expect what an image file can hold.
      for (const [i, v] of rows.entries()) rows[i] = Math.min(1, Math.max(0, v));
      return rows;
    },
  };
}

/** A side of one pixel has nothing to reflect, so it is doubled. */
export function reflectableRows(source: RowSource): RowSource {
  if (source.width > 1 && source.height > 1) return source;
  const width = Math.max(2, source.width);
  const { channels } = source;
  return {
    width,
    height: Math.max(2, source.height),
    channels,
    read: async (first, count) => {
      const rows = new Float32Array(count * width * channels);
      for (let row = 0; row < count; row++) {
        const data = await source.read(Math.min(first + row, source.height - 1), 1);
        rows.set(data, row * width * channels);
        if (source.width === 1) rows.set(data, (row * width + 1) * channels);
      }
      return rows;
    },
  };
}
