/**
 * The viewer's interface. Regions and points are in pixels of the input picture, `before`; sizes on the
 * screen are in CSS pixels; `zoom` counts device pixels per pixel of the result, so that 1 is "1:1".
 */
import type { Region, Transfer } from '../../src/index.ts';

export type { Region };

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** What is looked at: the input pixel in the middle of the canvas (of a half, in mode `side`), and how large. */
export interface View extends Point {
  /** Device pixels per pixel of the result. */
  readonly zoom: number;
}

/**
 * `single`: the result, or the input where there is none yet. `slider`: the input to the left of it.
 * `lens`: the other picture in a circle. `side`: both, at the same place, side by side or one above the other.
 */
export type Mode = 'single' | 'slider' | 'lens' | 'side';

/**
 * Textures are 2d with usage TEXTURE_BINDING, any float format. They stay the caller's, are read whenever
 * something is drawn, and may change at any time (then call `invalidate`); before one is destroyed
 * others are to be set.
 */
export interface Images {
  /** The picture as it was; its alpha is ignored. */
  readonly before: GPUTexture;
  /**
   * The result, `scale` times as large; alpha premultiplied. Where it is transparent `before` shows:
   * a texture that was cleared fills tile by tile.
   */
  readonly after?: GPUTexture | undefined;
  /** Parts of the result, over `after` and each over those before it: where all of it would be too large for a texture. */
  readonly parts?: readonly Part[] | undefined;
  /** Pixels of the result per pixel of the input, along each side; whole. */
  readonly scale: number;
  /** What values stand for; formats that end in `-srgb` are taken care of. @default 'srgb' */
  readonly transfer?: Transfer;
}

export interface Part {
  /** `scale` times the size of `region`; alpha premultiplied. */
  readonly texture: GPUTexture;
  /** Of the input. */
  readonly region: Region;
  /**
   * What of `region` is drawn; the rest is there for filters. Parts whose `shows` lie side by side look like one
   * texture where their regions overlap by two texels, and by half a device pixel's length, on either side.
   * @default region
   */
  readonly shows?: Region | undefined;
}

export interface Lens extends Point {
  /** Middle, as fractions of the canvas. */
  readonly x: number;
  readonly y: number;
  /** CSS pixels. */
  readonly radius: number;
  /** How much larger than around it, from 1 on. */
  readonly magnify: number;
  readonly shows: 'before' | 'after';
}

/** All text that people see or hear. */
export interface ViewerStrings {
  /** The canvas: what it is, and its keys. */
  readonly picture: string;
  readonly before: string;
  readonly after: string;
  readonly slider: string;
  /** @param percent of the width that shows the input */
  readonly sliderValue: (percent: number) => string;
  readonly lens: string;
  readonly region: (region: Region) => string;
  /** The region's corner that arrows move. */
  readonly regionCorner: string;
}

export interface ViewerOptions {
  /** Borrowed. */
  readonly device: GPUDevice;
  /** @default the one that the system prefers */
  readonly format?: GPUTextureFormat;
  /** Of the canvas: how the textures' values are to be understood. @default 'srgb' */
  readonly colorSpace?: PredefinedColorSpace;
  /** @default English */
  readonly strings?: Partial<ViewerStrings>;
  /** View, canvas or picture have changed; once per frame at most. */
  readonly onViewChange?: (view: View) => void;
  /** The person has moved the slider. */
  readonly onSliderChange?: (position: number) => void;
  /** The person has drawn, changed or removed the region; `done` when the pointer is up. */
  readonly onRegionChange?: (region: Region | undefined, done: boolean) => void;
}

export interface Viewer {
  mode: Mode;
  /** The slider's place as a fraction of the canvas' width. @default 0.5 */
  slider: number;
  lens: Lens;
  /**
   * Beyond the size of its pixels a picture is enlarged by Catmull-Rom (bicubic, a = −0.5), or drawn as
   * squares. Smaller than its pixels it is averaged by area. Both pictures are treated alike.
   * @default 'smooth'
   */
  sampling: 'smooth' | 'pixels';
  /** Only the input, whatever the mode: as long as a key (Space, B) or a button is held. */
  showsBefore: boolean;
  /** What dragging on the canvas does. @default 'pan' */
  tool: 'pan' | 'region';
  /** The selected part, whole input pixels within the picture. */
  region: Region | undefined;
  /** Set, it is moved to what the limits allow. */
  view: View;
  /** Outlines of tiles under way; one that is no longer named fades. */
  tiles: readonly Region[];
  /** Whether the view is, and stays when the canvas changes, the whole picture. */
  readonly isFitted: boolean;

  /** Shows these; keeps the view where the size of the input is the same. Throws TypeError, RangeError for textures that cannot be shown. */
  setImages(images: Images | undefined): void;
  /** After the last one was lost: drops the images, which were on it. */
  setDevice(device: GPUDevice): void;
  /** All of the picture, as large as fits. */
  fit(): void;
  /** @param at stays where it is; CSS pixels from the canvas' corner. @default its middle */
  zoomTo(zoom: number, at?: Point): void;
  zoomBy(factor: number, at?: Point): void;
  /** What can be seen of the picture, in whole input pixels, outwards; undefined while there is none. */
  visibleRegion(): Region | undefined;
  /** The textures' contents have changed: draws at the next frame. */
  invalidate(): void;
  /** Removes all that it has added to the page; textures and device stay. */
  dispose(): void;
}
