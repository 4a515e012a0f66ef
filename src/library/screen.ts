/**
 * Pictures of the device on canvases, in a worker, without a readback: WebGPU copies them there. A canvas of the
 * page gets bitmaps in Firefox: with WebGPU on it, Firefox 153 ends where it composites in software.
 */
import { DeviceError } from '../engine/errors.ts';
import { isFirefox } from '../engine/firefox.ts';

export interface Screen {
  /** `texture`: rgba8unorm with usage COPY_SRC, in `colorSpace`; the canvas takes its size. */
  show(texture: GPUTexture, colorSpace?: PredefinedColorSpace): void;
}

/** On a canvas of the page. TypeError: it has a context of another kind. */
export function screenOn(device: GPUDevice, canvas: OffscreenCanvas): Screen {
  if (isFirefox) {
    const context = canvas.getContext('bitmaprenderer');
    if (context) return new BitmapScreen(device, context);
  } else {
    const context = canvas.getContext('webgpu');
    if (context) return new CanvasScreen(device, context);
  }
  throw new TypeError('the canvas has a context of another kind');
}

/** `texture` as in {@link Screen.show}. DeviceError: the browser has no WebGPU on canvases of a worker. */
export function bitmapOf(
  device: GPUDevice,
  texture: GPUTexture,
  colorSpace?: PredefinedColorSpace,
): ImageBitmap {
  // A new one each time: in Firefox it loses its configuration with the bitmap.
  const canvas = new OffscreenCanvas(1, 1);
  const context = canvas.getContext('webgpu');
  if (!context) {
    throw new DeviceError({
      what: 'the result on a canvas',
      needed: 'WebGPU on canvases of a worker',
      got: 'none',
      remedy: 'Let it come as a bitmap: without `canvas`.',
    });
  }
  new CanvasScreen(device, context).show(texture, colorSpace);
  return canvas.transferToImageBitmap();
}

class CanvasScreen implements Screen {
  readonly #device: GPUDevice;
  readonly #context: GPUCanvasContext;
  #colorSpace: PredefinedColorSpace | undefined;

  constructor(device: GPUDevice, context: GPUCanvasContext) {
    this.#device = device;
    this.#context = context;
  }

  show(texture: GPUTexture, colorSpace: PredefinedColorSpace = 'srgb'): void {
    const { width, height } = texture;
    this.#configure(colorSpace);
    const { canvas } = this.#context;
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const encoder = this.#device.createCommandEncoder({ label: 'invsr/show' });
    encoder.copyTextureToTexture(
      { texture },
      { texture: this.#context.getCurrentTexture() },
      { width, height },
    );
    this.#device.queue.submit([encoder.finish()]);
  }

  /** With the first picture of a call, and not as it begins to wait: the one before it is still shown. */
  #configure(colorSpace: PredefinedColorSpace): void {
    if (colorSpace === this.#colorSpace) return;
    this.#colorSpace = colorSpace;
    this.#context.configure({
      device: this.#device,
      format: 'rgba8unorm',
      colorSpace,
      usage: GPUTextureUsage.COPY_DST | GPUTextureUsage.RENDER_ATTACHMENT,
      alphaMode: 'opaque',
    });
  }
}

class BitmapScreen implements Screen {
  readonly #device: GPUDevice;
  readonly #context: ImageBitmapRenderingContext;

  constructor(device: GPUDevice, context: ImageBitmapRenderingContext) {
    this.#device = device;
    this.#context = context;
  }

  show(texture: GPUTexture, colorSpace?: PredefinedColorSpace): void {
    this.#context.transferFromImageBitmap(bitmapOf(this.#device, texture, colorSpace));
  }
}
