/**
 * Pieces of a result on one canvas, one after another: the photo, which the browser enlarges, and what is
 * sharp over it. Regions are in pixels of the photo; a piece begins at the canvas's first pixel.
 */
import type { Region } from '../../src/index.ts';
import { cellsOf, grow, type Size, whole } from '../state/regions.ts';

/** What is sharp, for a region of the photo, four times its size; transparent where nothing is. */
export interface SharpPart {
  readonly bitmap: ImageBitmap;
  /** What the bitmap holds. */
  readonly region: Region;
  /** What of it is to be drawn: filters that reduce it look at the rest. */
  readonly shows: Region;
}

export interface Composer {
  readonly context: OffscreenCanvasRenderingContext2D;
  /** Begins a piece, with the photo. */
  begin(piece: Region): void;
  /** Over what is there, of which it keeps the alpha: the photo's own. Closes the bitmap. */
  draw(part: SharpPart): void;
}

/** As far as filters look around: pieces are enlarged as the whole is, whether or not a browser looks beyond what it is to draw. */
const RIM = 8;

/** @param scale pixels of the canvas for each of the photo's, across */
export function createComposer(
  context: OffscreenCanvasRenderingContext2D,
  photo: ImageBitmap,
  scale: number,
): Composer {
  let piece = whole(photo);
  const draw = (image: ImageBitmap, from: Region, { x, y, width, height }: Region): void =>
    context.drawImage(
      image,
      from.x,
      from.y,
      from.width,
      from.height,
      scale * (x - piece.x),
      scale * (y - piece.y),
      scale * width,
      scale * height,
    );
  context.imageSmoothingQuality = 'high';
  return {
    context,
    begin(next) {
      piece = next;
      context.globalCompositeOperation = 'source-over';
      context.clearRect(0, 0, scale * piece.width, scale * piece.height);
      const around = grow(piece, RIM, whole(photo));
      draw(photo, around, around);
    },
    draw({ bitmap, region, shows: { x, y, width, height } }) {
      context.save();
      context.beginPath();
      context.rect(scale * (x - piece.x), scale * (y - piece.y), scale * width, scale * height);
      context.clip();
      context.globalCompositeOperation = 'source-atop';
      draw(bitmap, whole(bitmap), region);
      context.restore();
      bitmap.close();
    },
  };
}

/** Whether nothing of it lets anything through. */
export function isOpaque(photo: ImageBitmap): boolean {
  const side = 1024;
  const context = readable({ width: side, height: side });
  return cellsOf(whole(photo), side).every(({ x, y, width, height }) => {
    context.clearRect(0, 0, side, side);
    context.drawImage(photo, -x, -y);
    const { data } = context.getImageData(0, 0, width, height);
    for (let i = 3; i < data.length; i += 4) if (data[i] !== 255) return false;
    return true;
  });
}

/** Of a small canvas, whose pixels are read again and again. */
export function readable({ width, height }: Size): OffscreenCanvasRenderingContext2D {
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (!context) throw new Error('the browser has no canvas');
  return context;
}
