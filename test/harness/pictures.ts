/** Test pictures, and how they get onto a device. */
import { uniform } from './random.ts';

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** rgba8, opaque. */
  readonly data: Uint8ClampedArray<ArrayBuffer>;
}

/** Smooth shapes and colours with some grain; the same for the same size. */
export function picture(width: number, height: number): Picture {
  const next = uniform(width * 1000 + height);
  const data = new Uint8ClampedArray(4 * width * height);
  for (let i = 0; i < width * height; i++) {
    const [x, y] = [(i % width) / width, Math.floor(i / width) / height];
    const grain = 24 * (next() - 0.5);
    const rgb = [60 + 160 * x, 200 - 140 * y, 90 + 80 * Math.sin(6 * (x + y))];
    data.set([...rgb.map((v) => v + grain), 255], 4 * i);
  }
  return { width, height, data };
}

/** Its bytes as the texels of a format of four bytes. Usage: to be read, unless others are given. */
export function textureOf(
  device: GPUDevice,
  { width, height, data }: Picture,
  format: GPUTextureFormat = 'rgba8unorm',
  usage: GPUTextureUsageFlags = GPUTextureUsage.TEXTURE_BINDING,
): GPUTexture {
  const size = [width, height];
  const texture = device.createTexture({ size, format, usage: usage | GPUTextureUsage.COPY_DST });
  device.queue.writeTexture({ texture }, data, { bytesPerRow: 4 * width }, size);
  return texture;
}

/** Red and blue swapped: what `bgra8unorm` stores of the same colours. */
export const swapped = (image: Picture): Picture => ({
  ...image,
  data: image.data.map((_, i) => image.data[i % 4 === 3 ? i : i - (i % 4) + [2, 1, 0][i % 4]!]!),
});

/** Difference of the colours of two rgba8 images: root mean square and largest, in levels. */
export function difference(a: ArrayLike<number>, b: ArrayLike<number>) {
  let [sum, max, count] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    if (i % 4 === 3) continue;
    const d = Math.abs(a[i]! - b[i]!);
    sum += d * d;
    max = Math.max(max, d);
    count++;
  }
  return { rms: Math.sqrt(sum / count), max };
}

/** A rectangle of an rgba8 image. */
export function cropped(
  { width, data }: Pick<Picture, 'width' | 'data'>,
  at: { readonly x: number; readonly y: number; readonly width: number; readonly height: number },
): Picture {
  const rows = Array.from({ length: at.height }, (_, y) => {
    const from = 4 * ((at.y + y) * width + at.x);
    return [...data.subarray(from, from + 4 * at.width)];
  });
  return { width: at.width, height: at.height, data: Uint8ClampedArray.from(rows.flat()) };
}
