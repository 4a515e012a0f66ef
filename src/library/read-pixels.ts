/** An image's pixels by bands: read as upscaling reads it, written as bytes, copied to the host (engine/readback.ts). */
import { expectReadable, type GpuImage, type ImageBuffer } from '../engine/gpu-image.ts';
import { imageStore, loadImage } from '../engine/image-pass.ts';
import { readBuffer } from '../engine/readback.ts';
import type { ReadImageOptions, ReadPixels } from './read-image.ts';

/** Of a band's values on the device: 16 bytes per pixel. */
const BAND_BYTES = 16 * 2 ** 20;

/** `readImage`, whose errors these are. */
export async function readPixels(
  device: GPUDevice,
  image: GpuImage,
  { transfer = 'srgb', colorSpace = 'srgb' }: ReadImageOptions,
): Promise<ReadPixels> {
  const what = 'the image';
  expectReadable(device, what, image);
  const { width, height } = image;
  const rows = Math.max(1, Math.min(height, Math.floor(BAND_BYTES / (16 * width))));
  const { STORAGE, COPY_SRC } = GPUBufferUsage;
  const label = 'invsr/readImage';
  const tensor = device.createBuffer({ label, size: 16 * width * rows, usage: STORAGE });
  const buffer = device.createBuffer({
    label,
    size: 4 * width * rows,
    usage: STORAGE | COPY_SRC,
  });
  try {
    const band: ImageBuffer = { buffer, width, height: rows, format: 'rgba8unorm' };
    const store = await imageStore(device, band, 'srgb');
    const data = new Uint8ClampedArray(4 * width * height);
    for (let y = 0; y < height; y += rows) {
      const part = { x: 0, y: 0, width, height: Math.min(rows, height - y) };
      const size = { width, height: part.height };
      await loadImage(device, { image, what, from: { ...part, y }, transfer, tensor, ...size });
      await store({ tensor, stride: width, origin: [0, 0], to: part });
      const bytes = await readBuffer(device, buffer, 4 * width * part.height);
      data.set(new Uint8Array(bytes), 4 * width * y);
    }
    return { width, height, data, colorSpace };
  } finally {
    tensor.destroy();
    buffer.destroy();
  }
}
