/** The result as a file: encoded by the browser, with metadata, then kept, copied or shared. */
import { inSlices } from '../../src/engine/slices.ts';
import type { Region } from '../../src/index.ts';
import { resultNote, resultXmp, type Settings } from '../../src/library/result-note.ts';
import { VERSION } from '../../src/version.ts';
import { resultExif } from './exif.ts';
import { withMetadata } from './metadata.ts';
import { type Picture, PictureError } from './open.ts';

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

const TOOL = `invsr-webgpu ${VERSION}`;

/** What is sharp, for a region of the photo. Its owner is who takes it. */
interface SharpPart {
  readonly bitmap: ImageBitmap;
  readonly region: Region;
}

/**
 * `sharp` has no parts, or transparent ones, where nothing is sharp: there the photo shows, enlarged by
 * the browser. The photo's own alpha cuts the result out.
 */
export async function encode(
  picture: Picture,
  sharp: Iterable<SharpPart>,
  settings: Settings,
  { region, format, quality, scale, metadata }: SaveOptions,
): Promise<Blob> {
  const [width, height] = [scale * region.width, scale * region.height];
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d');
  if (!context) throw new PictureError('This browser has no memory for a picture of that size.');
  context.imageSmoothingQuality = 'high';
  const drawPhoto = (): void => {
    const { x, y } = region;
    context.drawImage(picture.bitmap, x, y, region.width, region.height, 0, 0, width, height);
  };
  drawPhoto();
  await inSlices(drawParts(context, sharp, { origin: region, scale }));
  if (format === 'jpeg') {
    context.globalCompositeOperation = 'destination-over';
    context.fillStyle = '#fff';
    context.fillRect(0, 0, width, height);
  } else {
    context.globalCompositeOperation = 'destination-in';
    drawPhoto();
  }
  const type = `image/${format}`;
  const blob = await canvas.convertToBlob({ type, quality: quality / 100 });
  if (blob.type !== type) {
    throw new PictureError(`This browser does not write ${format.toUpperCase()}. Choose PNG.`);
  }
  if (!metadata) return blob;
  const note = resultNote(settings);
  const exif = resultExif(picture.metadata.exif, {
    width,
    height,
    software: `${TOOL}, AI-upscaled`,
  });
  const bytes = withMetadata(
    new Uint8Array(await blob.arrayBuffer()),
    {
      ...(exif && { exif }),
      xmp: resultXmp(picture.metadata.xmp, { settings, tool: TOOL }),
      texts: { Software: TOOL, Comment: note },
    },
    { width, height },
  );
  return new Blob([bytes], { type });
}

function* drawParts(
  context: OffscreenCanvasRenderingContext2D,
  parts: Iterable<SharpPart>,
  { origin, scale }: { readonly origin: Region; readonly scale: number },
): Generator<void, void> {
  for (const { bitmap, region } of parts) {
    const [x, y] = [scale * (region.x - origin.x), scale * (region.y - origin.y)];
    context.drawImage(bitmap, x, y, scale * region.width, scale * region.height);
    bitmap.close();
    yield;
  }
}

interface FilePicker {
  readonly showSaveFilePicker?: (options: {
    readonly suggestedName: string;
    readonly types: readonly { readonly accept: Readonly<Record<string, readonly string[]>> }[];
  }) => Promise<FileSystemFileHandle>;
}

/**
 * Where the browser asks for a place, there; else as a download. The place is asked for first, while
 * the click that led here still counts. False where the person changed their mind.
 */
export async function saveAs(
  name: string,
  type: string,
  make: () => Promise<Blob>,
): Promise<boolean> {
  const { showSaveFilePicker } = globalThis as FilePicker;
  if (!showSaveFilePicker) {
    download(name, await make());
    return true;
  }
  const extension = name.slice(name.lastIndexOf('.'));
  const handle = await showSaveFilePicker
    .call(globalThis, { suggestedName: name, types: [{ accept: { [type]: [extension] } }] })
    .catch((error: unknown) => {
      if (isNamed(error, 'AbortError')) return undefined;
      throw error;
    });
  if (!handle) return false;
  const blob = await make(); // first: what fails leaves no file open
  const file = await handle.createWritable();
  await file.write(blob);
  await file.close();
  return true;
}

function download(name: string, blob: Blob): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The download has its own hold on the bytes after a while.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

const isNamed = (error: unknown, name: string): boolean =>
  error instanceof DOMException && error.name === name;

/** PNG, the one format that clipboards take. PictureError where the browser does not let pages copy. */
export async function copy(make: () => Promise<Blob>): Promise<void> {
  try {
    await navigator.clipboard.write([new ClipboardItem({ 'image/png': make() })]);
  } catch (cause) {
    if (!isNamed(cause, 'NotAllowedError')) throw cause;
    throw new PictureError('This browser does not let this page copy pictures. Save it instead.', {
      cause,
    });
  }
}

/** Whether there is somewhere to share pictures to. */
export function canShare(): boolean {
  const probe = new File([], 'a.png', { type: 'image/png' });
  return 'canShare' in navigator && navigator.canShare({ files: [probe] });
}

/**
 * `refused`: browsers share while a click still counts, for some seconds, and a large picture may take
 * longer to make. `cancelled`: the person changed their mind.
 */
export async function share(name: string, blob: Blob): Promise<'shared' | 'cancelled' | 'refused'> {
  try {
    await navigator.share({ files: [new File([blob], name, { type: blob.type })] });
    return 'shared';
  } catch (error) {
    if (isNamed(error, 'AbortError')) return 'cancelled';
    if (isNamed(error, 'NotAllowedError')) return 'refused';
    throw error;
  }
}
