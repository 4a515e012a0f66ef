/** A decoded picture on disk as a RowSource: rows are read when they are asked for. */
import { type FileHandle, open } from 'node:fs/promises';
import type { RowSource } from '../invsr/row-source.ts';
import { HEADER_BYTES, readLayout, rowBytes, type VipsLayout } from './vips-file.ts';

export interface InputRows extends RowSource {
  readonly layout: VipsLayout;
  readonly file: FileHandle;
}

export async function openInputRows(path: string): Promise<InputRows> {
  const file = await open(path, 'r');
  const layout = await readLayout(file);
  const { width, height, channels, depth } = layout;
  const max = 2 ** depth - 1;
  return {
    layout,
    file,
    width,
    height,
    channels,
    read: async (first, count) => {
      const bytes = new Uint8Array(count * rowBytes(layout));
      const position = HEADER_BYTES + first * rowBytes(layout);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, position);
      if (bytesRead < bytes.length) throw new Error(`${path} is cut short`);
      const levels = depth === 8 ? bytes : new Uint16Array(bytes.buffer);
      const values = new Float32Array(levels.length);
      // A loop: Float32Array.from takes several times as long.
      for (let i = 0; i < values.length; i++) values[i] = (levels[i] ?? 0) / max;
      return values;
    },
  };
}
