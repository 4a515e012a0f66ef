/** A file, a paste or a drop → a picture that stands upright, in sRGB, with the metadata that a result keeps. */
import { type PictureMetadata, readMetadata } from './metadata.ts';

export interface Picture {
  /** The file's, without its extension. */
  readonly name: string;
  /** Upright: a camera's orientation is applied. */
  readonly bitmap: ImageBitmap;
  readonly width: number;
  readonly height: number;
  readonly metadata: PictureMetadata;
}

/** A sentence for people: what this browser cannot do with a picture, or with a file that is none. */
export class PictureError extends Error {
  override readonly name = 'PictureError';
}

/** What file dialogs offer. */
export const ACCEPT = 'image/png,image/jpeg,image/webp,image/avif,image/heic,image/heif,image/*';

/** Files that have these types by their names and begin otherwise are none. */
const COMMON: readonly string[] = [
  'image/png',
  'image/jpeg',
  'image/webp',
  'image/avif',
  'image/gif',
  'image/bmp',
];

export async function openPicture(file: Blob, fileName: string): Promise<Picture> {
  if (file.size === 0) throw new PictureError(`“${fileName}” is empty.`);
  const head = new Uint8Array(await file.slice(0, 32).arrayBuffer());
  const bitmap = await createImageBitmap(file, {
    imageOrientation: 'from-image',
    premultiplyAlpha: 'none',
  }).catch((cause: unknown) => {
    throw new PictureError(refusal(head, file.type, fileName), { cause });
  });
  return {
    name: fileName.replace(/\.[^.]*$/, '') || 'photo',
    bitmap,
    width: bitmap.width,
    height: bitmap.height,
    // Compressed text that is damaged is no reason to refuse the picture.
    metadata: await readMetadata(new Uint8Array(await file.arrayBuffer())).catch(() => ({})),
  };
}

/** How files of pictures begin that browsers read. */
const SIGNATURES =
  /^(?:\x89PNG|\xff\xd8\xff|RIFF.{4}WEBP|GIF8|BM|.{4}ftypavi[fs]|.{4}ftypmif1.*avif)/s;

function refusal(head: Uint8Array, type: string, name: string): string {
  const text = String.fromCharCode(...head);
  if (SIGNATURES.test(text)) return `“${name}” is damaged, or too large for this browser.`;
  if (/^.{4}ftyp(?:hei|hev|mif1|msf1)/s.test(text)) {
    return `This browser cannot read HEIC photos such as “${name}”. Save it as JPEG and open that; an iPhone takes JPEGs with Settings › Camera › Formats › Most Compatible.`;
  }
  if (type === 'image/svg+xml') {
    return `“${name}” is a drawing, which is sharp at any size. Export it as PNG if you want it sharpened as a photo.`;
  }
  // TIFF, JPEG XL, what cameras write: systems know them by their names, browsers do not read them.
  return type.startsWith('image/') && !COMMON.includes(type)
    ? `This browser cannot read pictures such as “${name}”. Save it as PNG or JPEG and open that.`
    : `“${name}” is not a picture. PNG, JPEG, WebP and AVIF work.`;
}

/** The first picture of a drop or a paste; undefined where nothing is a file. */
export function fileOf(data: DataTransfer | null): File | undefined {
  const files = [...(data?.files ?? [])];
  return files.find(({ type }) => type.startsWith('image/')) ?? files[0];
}
