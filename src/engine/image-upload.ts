/**
 * Images of the page → a temporary texture, copied when the call is made: a video may play on, a
 * frame be closed at once. Values stay as sRGB has them, alpha is not multiplied in.
 */
import type { Allocator } from './allocator.ts';
import { inScope } from './error-scope.ts';
import { isFirefox } from './firefox.ts';
import type { ImageSize, Rectangle } from './gpu-image.ts';

/** Bytes as ImageData has them, which Node lacks: rgba8, rows from top to bottom. */
export interface PixelData extends ImageSize {
  readonly data: Uint8ClampedArray | Uint8Array;
  readonly colorSpace?: PredefinedColorSpace;
}

/** What `copyExternalImageToTexture` takes, and bytes. */
export type PageImage =
  | PixelData
  | ImageBitmap
  | HTMLImageElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | HTMLVideoElement
  | VideoFrame;

type DrawnImage = Exclude<PageImage, PixelData>;

/** In pixels, as they are copied: of an <img> what its file has, of a video what it shows. */
export function pageImageSize(image: PageImage): ImageSize {
  if ('displayWidth' in image) return { width: image.displayWidth, height: image.displayHeight };
  if ('videoWidth' in image) return { width: image.videoWidth, height: image.videoHeight };
  if ('naturalWidth' in image) return { width: image.naturalWidth, height: image.naturalHeight };
  return { width: image.width, height: image.height };
}

/** The space that an image's values are in where it tells: bytes, video frames and canvases do. */
export function colorSpaceOf(image: PageImage): PredefinedColorSpace | undefined {
  if ('data' in image) return image.colorSpace;
  if ('displayWidth' in image) {
    const primaries: string | null = image.colorSpace.primaries; // the types lack this one
    return primaries === 'smpte432' ? 'display-p3' : undefined;
  }
  return 'getContext' in image ? canvasColorSpace(image) : undefined;
}

/**
 * Of what it shows. A 2d context would tell too, but whoever asks a canvas without a context for one makes
 * one, and its owner can have no other then.
 */
function canvasColorSpace(
  canvas: HTMLCanvasElement | OffscreenCanvas,
): PredefinedColorSpace | undefined {
  let frame: VideoFrame;
  try {
    frame = new VideoFrame(canvas, { timestamp: 0 });
  } catch {
    return undefined; // an OffscreenCanvas without a context, in Chromium
  }
  try {
    return colorSpaceOf(frame);
  } finally {
    frame.close();
  }
}

export interface Upload {
  readonly texture: GPUTexture;
  /** Rejects with DeviceError where there is no memory for it. */
  readonly ready: Promise<void>;
}

/**
 * `from` of an image as rgba8unorm, converted to `colorSpace` unless it is bytes; a canvas without a context is as
 * it is shown, transparent black. RangeError: the bytes are not those of its size. TypeError: no bytes, where WebGPU
 * takes nothing else. As the browser has it: SecurityError for a picture of another origin, InvalidStateError for
 * one that is closed or not there yet.
 */
export function uploadImage(
  device: GPUDevice,
  allocator: Allocator,
  image: PageImage,
  { from, colorSpace }: { readonly from: Rectangle; readonly colorSpace: PredefinedColorSpace },
): Upload {
  if ('data' in image) expectBytes(image);
  const { COPY_DST, RENDER_ATTACHMENT, TEXTURE_BINDING } = GPUTextureUsage;
  const { texture, ready } = allocator.createTexture({
    label: 'input',
    width: from.width,
    height: from.height,
    format: 'rgba8unorm',
    usage: COPY_DST | RENDER_ATTACHMENT | TEXTURE_BINDING, // RENDER_ATTACHMENT is copyExternalImage's wish
  });
  const size = [from.width, from.height];
  try {
    // Refused where the texture could not be made, and only there: `ready` tells.
    inScope(device, 'validation', () => {
      if ('data' in image) {
        device.queue.writeTexture(
          { texture },
          wholeView(image.data),
          { offset: 4 * (from.y * image.width + from.x), bytesPerRow: 4 * image.width },
          size,
        );
      } else {
        expectCopies(device.queue);
        copyImage(device.queue, image, { texture, colorSpace }, from);
      }
    });
  } catch (error) {
    ready.catch(() => {});
    allocator.destroyTexture(texture);
    throw error;
  }
  return { texture, ready };
}

/** WebGPU outside of browsers may lack it (denoland/deno#23576). */
function expectCopies(queue: GPUQueue): void {
  if ('copyExternalImageToTexture' in queue) return;
  throw new TypeError(
    'the input is an image of the page, which this WebGPU cannot copy; give its bytes, as ImageData has them',
  );
}

/** By WebGPU, or drawn first, in sRGB, where it takes no such image. */
function copyImage(
  queue: GPUQueue,
  image: DrawnImage,
  target: GPUCopyExternalImageDestInfo,
  from: Rectangle,
): void {
  const { x, y, width, height } = from;
  const copy = (source: GPUCopyExternalImageSource, origin: [number, number]): void =>
    queue.copyExternalImageToTexture({ source, origin }, target, [width, height]);
  try {
    copy(image, [x, y]);
  } catch (error) {
    if (!isRefused(image, error)) throw error;
    copy(drawn(image, from), [0, 0]);
  }
}

/** Firefox takes no videos and none of their frames (bugzilla 1922100), Chromium no canvas without a context. */
function isRefused(image: DrawnImage, error: unknown): boolean {
  if ('getContext' in image)
    return error instanceof DOMException && error.name === 'OperationError';
  return isFirefox && ('displayWidth' in image || 'videoWidth' in image);
}

/** `from` of what an image shows, as drawing has it. */
export function drawn(image: DrawnImage, from: Rectangle): OffscreenCanvas {
  const { x, y, width, height } = from;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d');
  if (!context) throw new TypeError(`the input cannot be drawn at ${width}x${height}`);
  context.drawImage(image, x, y, width, height, 0, 0, width, height);
  return canvas;
}

function expectBytes({ width, height, data }: PixelData): void {
  if (data.byteLength === 4 * width * height && data.BYTES_PER_ELEMENT === 1) return;
  throw new RangeError(
    `the input has ${data.byteLength} bytes, expected ${4 * width * height}: rgba8 of ${width}x${height}`,
  );
}

/** Memory that is shared between threads cannot be handed to WebGPU: it is copied. */
const wholeView = (data: Uint8ClampedArray | Uint8Array): Uint8Array<ArrayBuffer> =>
  data.buffer instanceof ArrayBuffer
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
