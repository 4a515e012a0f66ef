/**
 * The result as a file: what is sharp over the photo, with metadata, put together piece by piece.
 *
 *   PNG         pieces of 256 squared, band by band; their rows are compressed as they come (png.ts), so
 *               that a file may have any size
 *   JPEG, WebP  one piece on a canvas, which the browser encodes: no larger than its canvases
 *
 * Both take their time: encoder.ts has a worker do it.
 */
import type { Region } from '../../src/index.ts';
import { resultNote, resultXmp, type Settings } from '../../src/library/result-note.ts';
import { VERSION } from '../../src/version.ts';
import { cellsOf, type Size } from '../state/regions.ts';
import { createComposer, isOpaque, readable, type SharpPart } from './compose.ts';
import { resultExif } from './exif.ts';
import {
  type PictureMetadata,
  pngMetadata,
  type ResultMetadata,
  withMetadata,
} from './metadata.ts';
import { PictureError } from './open.ts';
import { createPng } from './png.ts';

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

export interface PictureFile {
  /** The next of `piecesOf`; the one before is complete. */
  begin(piece: Region): Promise<void>;
  /** Into the piece. Closes the bitmap. */
  draw(part: SharpPart): void;
  /** After the last piece. PictureError: the browser cannot. */
  finish(): Promise<Blob>;
}

/** The browser has no canvas of that size, or no memory for one. */
export class FileSizeError extends PictureError {
  readonly size: Size;

  constructor(size: Size, options?: ErrorOptions) {
    super(
      `This browser cannot put a picture of ${size.width} × ${size.height} pixels together. Save it as PNG, which may have any size.`,
      options,
    );
    this.size = size;
  }
}

export const fileSize = ({ region, scale }: Pick<SaveOptions, 'region' | 'scale'>): Size => ({
  width: scale * region.width,
  height: scale * region.height,
});

/** Of the photo; a band of pieces of PNG has all of the file's width. */
const PIECE = 256;

/** What a file is drawn by, in this order. */
export const piecesOf = ({ region, format }: SaveOptions): readonly Region[] =>
  format === 'png' ? cellsOf(region, PIECE) : [region];

/** FileSizeError: too large for this browser, as no PNG is. */
export const createFile = (request: FileRequest): PictureFile =>
  request.how.format === 'png' ? pngFile(request) : canvasFile(request);

function pngFile({ photo, metadata, settings, how }: FileRequest): PictureFile {
  const { region, scale } = how;
  const size = fileSize(how);
  const side = scale * PIECE;
  const channels = isOpaque(photo) ? 3 : 4;
  const stride = channels * size.width;
  const composer = createComposer(readable({ width: side, height: side }), photo, scale);
  const chunks = how.metadata ? pngMetadata(noteOf({ metadata, settings }, size)) : [];
  const png = createPng({ ...size, channels, chunks });
  const band = new Uint8Array(stride * Math.min(side, size.height));
  let piece: Region | undefined;
  const end = async (): Promise<void> => {
    if (!piece) return;
    const [width, height] = [scale * piece.width, scale * piece.height];
    const left = scale * (piece.x - region.x);
    const { data } = composer.context.getImageData(0, 0, width, height);
    for (let y = 0; y < height; y++) {
      let to = y * stride + channels * left;
      for (let from = 4 * y * width; from < 4 * (y + 1) * width; from += 4) {
        for (let i = 0; i < channels; i++) band[to++] = data[from + i] ?? 0;
      }
    }
    const isLast = left + width === size.width;
    if (isLast) await png.write(band.subarray(0, height * stride));
  };
  return {
    async begin(next) {
      await end();
      piece = next;
      composer.begin(next);
    },
    draw: (part) => composer.draw(part),
    async finish() {
      await end();
      return png.finish();
    },
  };
}

function canvasFile({ photo, metadata, settings, how }: FileRequest): PictureFile {
  const { format, quality, scale } = how;
  const size = fileSize(how);
  const canvas = new OffscreenCanvas(size.width, size.height);
  const context = canvas.getContext('2d');
  if (!context || !keepsPixels(context, size)) throw new FileSizeError(size);
  // It would be empty from then on.
  let isLost = false;
  canvas.addEventListener('contextlost', () => (isLost = true));
  const composer = createComposer(context, photo, scale);
  return {
    begin: async (piece) => composer.begin(piece),
    draw: (part) => composer.draw(part),
    async finish() {
      if (format === 'jpeg') {
        context.globalCompositeOperation = 'destination-over';
        context.fillStyle = '#fff';
        context.fillRect(0, 0, size.width, size.height);
      }
      const type = `image/${format}`;
      const encoded = await canvas
        .convertToBlob({ type, quality: quality / 100 })
        .catch((error: unknown) => error);
      if (isLost) throw new FileSizeError(size, { cause: encoded });
      if (!(encoded instanceof Blob) || encoded.type !== type) {
        throw new PictureError(
          `This browser could not write the picture as ${format.toUpperCase()}. Choose PNG.`,
          { cause: encoded },
        );
      }
      if (!how.metadata) return encoded;
      const bytes = new Uint8Array(await encoded.arrayBuffer());
      return new Blob([withMetadata(bytes, noteOf({ metadata, settings }, size), size)], { type });
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

const TOOL = `invsr-webgpu ${VERSION}`;

/** What the file says about itself. */
function noteOf(
  { metadata, settings }: Pick<FileRequest, 'metadata' | 'settings'>,
  size: Size,
): ResultMetadata {
  const exif = resultExif(metadata.exif, { ...size, software: `${TOOL}, AI-upscaled` });
  return {
    ...(exif && { exif }),
    xmp: resultXmp(metadata.xmp, { settings, tool: TOOL }),
    texts: { Software: TOOL, Comment: resultNote(settings) },
  };
}
