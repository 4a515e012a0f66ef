/** What a texture holds, for the page: through a canvas, so that browsers take the bytes from the device by themselves. */
import type { Region } from '../../src/index.ts';
import { FORMAT } from './texture.ts';

/** `region` in pixels of the texture, which is premultiplied and has usage COPY_SRC. */
export function bitmapOf(device: GPUDevice, texture: GPUTexture, region: Region): ImageBitmap {
  const { x, y, width, height } = region;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('webgpu');
  if (!context) throw new Error('the browser has no canvas for WebGPU');
  context.configure({
    device,
    format: FORMAT,
    alphaMode: 'premultiplied',
    usage: GPUTextureUsage.COPY_DST | GPUTextureUsage.RENDER_ATTACHMENT,
  });
  const encoder = device.createCommandEncoder({ label: 'page/bitmap' });
  encoder.copyTextureToTexture(
    { texture, origin: [x, y] },
    { texture: context.getCurrentTexture() },
    [width, height],
  );
  device.queue.submit([encoder.finish()]);
  const bitmap = canvas.transferToImageBitmap();
  context.unconfigure();
  return bitmap;
}
