/**
 * The result, four times the photo [4W, 4H], as sheets: textures that are made when something is to be
 * pasted into them, transparent (premultiplied) where nothing is sharp. Regions are in pixels of the photo.
 */
import type { Region } from '../../src/index.ts';
import type { SharpPart } from '../picture/compose.ts';
import { PictureError } from '../picture/open.ts';
import { APRON, type Room, SCALE, type Sheet, sheetsOf } from '../state/cut.ts';
import { areaOf, cellsOf, grow, meet, type Size } from '../state/regions.ts';
import type { Part } from '../viewer/types.ts';
import { bitmapOf } from './bitmap.ts';
import { createPaste, type Paste } from './paste.ts';
import { createTexture } from './texture.ts';

const REFUSAL =
  'The graphics card has no memory left for more of the result. What is sharp stays: save it, or sharpen smaller parts.';

const CHANGED = 'The result has changed while it was being saved. Save it again.';

/** Side in pixels of the photo: with aprons 16.8 million pixels of the result's, Safari's limit on phones. */
const PIECE = 1024 - 2 * APRON;

/** What a region looked like: to undo what is pasted there later. */
export interface Copy {
  restore(): void;
  destroy(): void;
}

interface Held extends Sheet {
  texture: GPUTexture | undefined;
  /** Something was pasted into it. */
  hasContent: boolean;
}

export class Sheets {
  readonly #device: GPUDevice;
  readonly #size: Size;
  readonly #sheets: readonly Held[];
  /** Made when first something is to be pasted: a photo that is made at once needs none. */
  #paste: Paste | undefined;
  /** Counts changes of what the sheets show. */
  #version = 0;

  constructor(device: GPUDevice, size: Size, room: Room) {
    this.#device = device;
    this.#size = size;
    this.#sheets = sheetsOf(size, room).map((sheet) => ({
      ...sheet,
      texture: undefined,
      hasContent: false,
    }));
  }

  /** Those with something in them, for the viewer. */
  get parts(): readonly Part[] {
    return this.#sheets.flatMap(({ texture, hasContent, region, shows }) =>
      texture && hasContent ? [{ texture, region, shows }] : [],
    );
  }

  /** On the device. */
  get bytes(): number {
    return bytesOf(this.#sheets.filter(({ texture }) => texture));
  }

  /** Of all of them. */
  get plannedBytes(): number {
    return bytesOf(this.#sheets);
  }

  /** A transparent texture for the result of a region: it can be shown, filled, pasted, be a sheet. NoRoomError. */
  async blank({ width, height }: Size): Promise<GPUTexture> {
    const { TEXTURE_BINDING, RENDER_ATTACHMENT, COPY_SRC, COPY_DST } = GPUTextureUsage;
    const { texture, ready } = createTexture(this.#device, {
      label: 'result',
      width: SCALE * width,
      height: SCALE * height,
      usage: TEXTURE_BINDING | RENDER_ATTACHMENT | COPY_SRC | COPY_DST,
      refusal: REFUSAL,
    });
    await ready;
    return texture;
  }

  /**
   * What a paste into `region` needs: its pipeline, and textures, which `trim` frees where none came.
   * NoRoomError. The signal's reason: the sheets may be gone.
   */
  async reserve(region: Region, signal: AbortSignal): Promise<void> {
    for (const sheet of this.#around(region)) {
      if (sheet.texture) continue;
      const texture = await this.blank(sheet.region);
      if (signal.aborted) texture.destroy();
      signal.throwIfAborted();
      sheet.texture = texture;
    }
    this.#paste ??= await createPaste(this.#device);
    signal.throwIfAborted();
  }

  /** Frees textures with nothing in them. */
  trim(): void {
    for (const sheet of this.#sheets) if (!sheet.hasContent) free(sheet);
  }

  /**
   * Puts `part`, four times the size of `region`, in its place in the sheets that are reserved. It fades
   * into its neighbours over `fade` pixels of the photo.
   */
  paste(part: GPUTexture, region: Region, fade: number): void {
    const { x, y, width, height } = region;
    const pixels = (hasNeighbour: boolean): number => (hasNeighbour ? SCALE * fade : 0);
    const right = pixels(x + width < this.#size.width);
    const bottom = pixels(y + height < this.#size.height);
    for (const sheet of this.#around(region)) {
      if (!sheet.texture || !this.#paste) continue;
      this.#paste(part, sheet.texture, {
        origin: placeIn(sheet, region),
        fadeStart: [pixels(x > 0), pixels(y > 0)],
        fadeEnd: [right, bottom],
      });
      sheet.hasContent = true;
    }
    this.#version++;
  }

  /** All of the result, where it is one sheet; the one before is freed. */
  replace(texture: GPUTexture): void {
    const [sheet, ...others] = this.#sheets;
    if (!sheet || others.length > 0) throw new Error('the result has several sheets');
    free(sheet);
    sheet.texture = texture;
    sheet.hasContent = true;
    this.#version++;
  }

  /** What is in `region`, whose sheets it reserves; destroyed by who takes it. Errors as `reserve`. */
  async copy(region: Region, signal: AbortSignal): Promise<Copy> {
    const pieces: { texture: GPUTexture; sheet: Held; origin: [number, number] }[] = [];
    const transfer = (isBack: boolean): void => {
      const encoder = this.#device.createCommandEncoder({ label: 'page/undo' });
      for (const { texture, sheet, origin } of pieces) {
        if (!sheet.texture) continue;
        const place: GPUTexelCopyTextureInfo = { texture: sheet.texture, origin };
        const own: GPUTexelCopyTextureInfo = { texture };
        const [from, to] = isBack ? [own, place] : [place, own];
        encoder.copyTextureToTexture(from, to, [texture.width, texture.height]);
      }
      this.#device.queue.submit([encoder.finish()]);
    };
    const destroy = (): void => pieces.forEach(({ texture }) => texture.destroy());
    try {
      await this.reserve(region, signal);
      for (const sheet of this.#around(region)) {
        const shared = meet(region, sheet.region);
        if (!shared) continue;
        const texture = await this.blank(shared);
        pieces.push({ texture, sheet, origin: placeIn(sheet, shared) });
      }
      signal.throwIfAborted();
    } catch (error) {
      destroy();
      this.trim();
      throw error;
    }
    transfer(false);
    const restore = (): void => {
      transfer(true);
      this.#version++;
    };
    return { restore, destroy };
  }

  /**
   * What is sharp now, region by region, in pieces that every browser has canvases for; bitmaps are to be
   * closed. PictureError: it has changed since.
   */
  reader(): (region: Region) => Generator<SharpPart> {
    const version = this.#version;
    return (region) => this.#bitmaps(region, version);
  }

  *#bitmaps(region: Region, version: number): Generator<SharpPart> {
    for (const sheet of this.#sheets) {
      const shared = meet(region, sheet.shows);
      if (!shared) continue;
      for (const piece of cellsOf(shared, PIECE)) {
        if (this.#version !== version) throw new PictureError(CHANGED);
        if (!sheet.texture || !sheet.hasContent) break;
        const held = grow(piece, APRON, sheet.region);
        const [x, y] = placeIn(sheet, held);
        const [width, height] = [SCALE * held.width, SCALE * held.height];
        const bitmap = bitmapOf(this.#device, sheet.texture, { x, y, width, height });
        yield { bitmap, region: held, shows: piece };
      }
    }
  }

  /** Nothing is sharp any more. */
  clear(): void {
    this.#sheets.forEach(free);
    this.#version++;
  }

  #around(region: Region): readonly Held[] {
    return this.#sheets.filter((sheet) => meet(region, sheet.region));
  }
}

const bytesOf = (sheets: readonly Sheet[]): number =>
  sheets.reduce((sum, { region }) => sum + 4 * SCALE * SCALE * areaOf(region), 0);

/** Of a region's first pixel in a sheet's texture; may lie outside. */
const placeIn = ({ region }: Sheet, { x, y }: Region): [number, number] => [
  SCALE * (x - region.x),
  SCALE * (y - region.y),
];

function free(sheet: Held): void {
  sheet.texture?.destroy();
  sheet.texture = undefined;
  sheet.hasContent = false;
}
