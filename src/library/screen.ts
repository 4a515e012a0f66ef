/**
 * Pictures of the device on canvases, in a worker, without a readback: WebGPU copies them there. A canvas of the
 * page gets bitmaps in Firefox: with WebGPU on it, Firefox 153 ends where it composites in software.
 */
import { isFirefox } from '../engine/firefox.ts';

export interface Screen {
  /** `texture`: rgba8unorm with usage COPY_SRC, in `colorSpace`; the canvas takes its size. */
  show(texture: GPUTexture, colorSpace?: PredefinedColorSpace): void;
}

/** On a canvas of the page. TypeError: it has a context of another kind. */
export const screenOn = (device: GPUDevice, canvas: OffscreenCanvas): Screen =>
  isFirefox ? new BitmapScreen(device, canvas) : new CanvasScreen(device, canvas);

/** `texture` as in {@link Screen.show}. */
export function bitmapOf(
  device: GPUDevice,
  texture: GPUTexture,
  colorSpace?: PredefinedColorSpace,
): ImageBitmap {
  // A new one each time: in Firefox it loses its configuration with the bitmap.
  const canvas = new OffscreenCanvas(1, 1);
  new CanvasScreen(device, canvas).show(texture, colorSpace);
  return canvas.transferToImageBitmap();
}

const otherKind = (): TypeError => new TypeError('the canvas has a context of another kind');

class CanvasScreen implements Screen {
  readonly #device: GPUDevice;
  readonly #canvas: OffscreenCanvas;
  readonly #context: GPUCanvasContext;
  #colorSpace: PredefinedColorSpace | undefined;

  constructor(device: GPUDevice, canvas: OffscreenCanvas) {
    const context = canvas.getContext('webgpu');
    if (!context) throw otherKind();
    this.#device = device;
    this.#canvas = canvas;
    this.#context = context;
  }

  show(texture: GPUTexture, colorSpace: PredefinedColorSpace = 'srgb'): void {
    const { width, height } = texture;
    this.#configure(colorSpace);
    if (this.#canvas.width !== width) this.#canvas.width = width;
    if (this.#canvas.height !== height) this.#canvas.height = height;
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

  constructor(device: GPUDevice, canvas: OffscreenCanvas) {
    const context = canvas.getContext('bitmaprenderer');
    if (!context) throw otherKind();
    this.#device = device;
    this.#context = context;
  }

  show(texture: GPUTexture, colorSpace?: PredefinedColorSpace): void {
    this.#context.transferFromImageBitmap(bitmapOf(this.#device, texture, colorSpace));
  }
}
