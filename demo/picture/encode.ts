/**
 * The result as a file: what is sharp over the photo, which the browser enlarges, encoded with metadata.
 * Browsers encode on the thread that a canvas belongs to, for seconds where it is large: encoder.ts has a
 * worker do it. A canvas that is too large for a browser may just stay empty: it is tried first.
 */
import type { Region } from '../../src/index.ts';
import { resultNote, resultXmp, type Settings } from '../../src/library/result-note.ts';
import { VERSION } from '../../src/version.ts';
import { resultExif } from './exif.ts';
import { type PictureMetadata, withMetadata } from './metadata.ts';
import type { Size } from '../state/regions.ts';
import { PictureError } from './open.ts';

export type Format = 'png' | 'jpeg' | 'webp';

export interface SaveOptions {
  /** What of the photo. */
  readonly region: Region;
  readonly format: Format;
  /** 1 to 100, of JPEG and WebP. */
  readonly quality: number;
  /** 4, or 2 for a result reduced by half. */
  readonly scale: 2 | 4;
  /** What the photo said about itself, and how this was made. */
  readonly metadata: boolean;
}

export const EXTENSIONS: Readonly<Record<Format, string>> = {
  png: 'png',
  jpeg: 'jpg',
  webp: 'webp',
};

/** Whether this browser writes it. A canvas gives PNG for what it cannot: Safari for WebP. */
export async function canWrite(format: Format): Promise<boolean> {
  const canvas = new OffscreenCanvas(1, 1);
  canvas.getContext('2d'); // without a context there is nothing to write
  const type = `image/${format}`;
  return (await canvas.convertToBlob({ type })).type === type;
}

/** All but the result. */
export interface FileRequest {
  readonly photo: ImageBitmap;
  /** The photo's. */
  readonly metadata: PictureMetadata;
  readonly settings: Settings;
  readonly how: SaveOptions;
}

/** What is sharp, for a region of the photo; transparent where nothing is. */
export interface SharpPart {
  readonly bitmap: ImageBitmap;
  readonly region: Region;
}

export interface PictureFile {
  /** Over the photo. Closes the bitmap. */
  draw(part: SharpPart): void;
  /** The photo's own alpha cuts the result out. PictureError: the browser cannot. */
  finish(): Promise<Blob>;
}

/** The browser has no canvas of that size, or no memory for one. */
export class FileSizeError extends PictureError {
  readonly size: Size;

  constructor(size: Size, options?: ErrorOptions) {
    super(
      `This browser cannot put a picture of ${size.width} × ${size.height} pixels together. Save it at half the size, or zoom in and save what you see.`,
      options,
    );
    this.size = size;
  }
}

export const fileSize = ({ region, scale }: Pick<SaveOptions, 'region' | 'scale'>): Size => ({
  width: scale * region.width,
  height: scale * region.height,
});

const TOOL = `invsr-webgpu ${VERSION}`;

/** FileSizeError: too large for this browser. */
export function createFile({ photo, metadata, settings, how }: FileRequest): PictureFile {
  const { region, format, quality } = how;
  const size = fileSize(how);
  const { width, height } = size;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d');
  if (!context || !keepsPixels(context, size)) throw new FileSizeError(size);
  // It would be empty from then on.
  let isLost = false;
  canvas.addEventListener('contextlost', () => (isLost = true));
  context.imageSmoothingQuality = 'high';
  const drawPhoto = (): void => {
    const { x, y } = region;
    context.drawImage(photo, x, y, region.width, region.height, 0, 0, width, height);
  };
  drawPhoto();
  return {
    draw({ bitmap, region: at }) {
      const { scale } = how;
      const [x, y] = [scale * (at.x - region.x), scale * (at.y - region.y)];
      context.drawImage(bitmap, x, y, scale * at.width, scale * at.height);
      bitmap.close();
    },
    async finish() {
      if (isLost) throw new FileSizeError(size);
      if (format === 'jpeg') {
        context.globalCompositeOperation = 'destination-over';
        context.fillStyle = '#fff';
        context.fillRect(0, 0, width, height);
      } else {
        context.globalCompositeOperation = 'destination-in';
        drawPhoto();
      }
      const type = `image/${format}`;
      const blob = await canvas
        .convertToBlob({ type, quality: quality / 100 })
        .catch((cause: unknown) => {
          throw new FileSizeError(size, { cause });
        });
      if (blob.type !== type) {
        throw new PictureError(`This browser does not write ${format.toUpperCase()}. Choose PNG.`);
      }
      return how.metadata ? annotated(blob, { metadata, settings }, size) : blob;
    },
  };
}

/** What is drawn last in an empty canvas can be read from it: Safari gives contexts of canvases that it has no room for. */
function keepsPixels(context: OffscreenCanvasRenderingContext2D, { width, height }: Size): boolean {
  const last = [width - 1, height - 1, 1, 1] as const;
  try {
    context.fillRect(...last);
    const [, , , alpha] = context.getImageData(...last).data;
    context.clearRect(...last);
    return alpha === 255;
  } catch {
    return false;
  }
}

async function annotated(
  blob: Blob,
  { metadata, settings }: Pick<FileRequest, 'metadata' | 'settings'>,
  size: Size,
): Promise<Blob> {
  const exif = resultExif(metadata.exif, { ...size, software: `${TOOL}, AI-upscaled` });
  const bytes = withMetadata(
    new Uint8Array(await blob.arrayBuffer()),
    {
      ...(exif && { exif }),
      xmp: resultXmp(metadata.xmp, { settings, tool: TOOL }),
      texts: { Software: TOOL, Comment: resultNote(settings) },
    },
    size,
  );
  return new Blob([bytes], { type: blob.type });
}
