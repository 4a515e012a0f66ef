/**
 * The region that a person selects: drawn by dragging over the picture, moved by its inside, resized by
 * its edges and corners. With the keyboard the rectangle has two stops: arrows move it, and on its last
 * corner they resize it, by a pixel of the input or, with Shift, ten. Escape or Delete removes it.
 */
import { attachDrag, type Drag } from './gestures.ts';
import { arrowOf } from './lens.ts';
import { addElement, inputPerPixel, placeOver, type Screen, toPicture } from './overlay.ts';
import type { Point, Region, ViewerStrings } from './types.ts';
import { regionBetween } from './view.ts';

export interface RegionHost {
  /** Undefined while there is no picture. */
  readonly screen: () => Screen | undefined;
  readonly region: () => Region | undefined;
  /** By the person; `done` when the pointer is up. */
  readonly change: (region: Region | undefined, done: boolean) => void;
}

export interface RegionTool {
  /** A drag over the picture that draws a new region. */
  draw(from: Point): Drag;
  /** No region any more; false where there was none. */
  remove(): boolean;
  /** A region in the middle of `visible`, with the keyboard's focus. */
  place(visible: Region): void;
  update(region: Region | undefined, screen: Screen): void;
}

/** Which edges a handle moves: -1 the first, 1 the last, 0 none. */
const HANDLES = [-1, 0, 1].flatMap((y) =>
  [-1, 0, 1].flatMap((x) => (x === 0 && y === 0 ? [] : [{ x, y }])),
);
/** Canvas pixels that a press may tremble without drawing. */
const DRAW_DISTANCE = 6;

/** Moved by whole pixels, within the picture. */
function shifted(region: Region, by: Point, { stage: { picture } }: Screen): Region {
  const shift = (at: number, step: number, length: number, all: number): number =>
    Math.min(Math.max(Math.round(at + step), 0), all - length);
  return {
    ...region,
    x: shift(region.x, by.x, region.width, picture.width),
    y: shift(region.y, by.y, region.height, picture.height),
  };
}

/** With those edges moved that the handle names; an edge may pass the opposite one. */
function resized(region: Region, handle: Point, by: Point, { stage: { picture } }: Screen): Region {
  const low = { x: region.x, y: region.y };
  const high = { x: region.x + region.width, y: region.y + region.height };
  if (handle.x !== 0) (handle.x < 0 ? low : high).x += by.x;
  if (handle.y !== 0) (handle.y < 0 ? low : high).y += by.y;
  return regionBetween(low, high, picture);
}

export function createRegionTool(
  pane: HTMLElement,
  strings: ViewerStrings,
  host: RegionHost,
  signal: AbortSignal,
): RegionTool {
  const box = addElement(pane, 'viewer-region');
  box.tabIndex = 0;
  box.role = 'application'; // arrows are ours
  box.hidden = true;

  /** Pointer and keys on an element: what `changed` makes of the region for a distance in input pixels. */
  const attach = (
    element: HTMLElement,
    changed: (region: Region, by: Point, screen: Screen) => Region,
  ): void => {
    attachDrag(
      element,
      (press) => {
        const start = host.region();
        const screen = host.screen();
        if (!start || !screen) return undefined;
        const length = inputPerPixel(screen);
        return (event, done) => {
          const by = {
            x: (event.clientX - press.clientX) * length,
            y: (event.clientY - press.clientY) * length,
          };
          host.change(changed(start, by, screen), done);
        };
      },
      signal,
    );
    element.addEventListener(
      'keydown',
      (event) => {
        const region = host.region();
        const screen = host.screen();
        const arrow = arrowOf(event);
        if (!region || !screen || !(arrow || event.key === 'Delete')) return;
        event.preventDefault();
        event.stopPropagation();
        host.change(arrow && changed(region, arrow, screen), true);
      },
      { signal },
    );
  };

  attach(box, shifted);
  for (const handle of HANDLES) {
    const element = addElement(box, 'viewer-handle');
    element.dataset['x'] = String(handle.x);
    element.dataset['y'] = String(handle.y);
    attach(element, (region, by, screen) => resized(region, handle, by, screen));
    if (handle.x < 1 || handle.y < 1) continue;
    element.tabIndex = 0;
    element.role = 'application';
    element.ariaLabel = strings.regionCorner;
  }

  return {
    draw(from) {
      const start = host.region();
      const screen = host.screen();
      let last: Region | undefined;
      return {
        move(to) {
          if (!screen) return;
          if (!last && Math.hypot(to.x - from.x, to.y - from.y) < DRAW_DISTANCE) return;
          const length = inputPerPixel(screen);
          const corner = toPicture(from, screen);
          const opposite = {
            x: corner.x + (to.x - from.x) * length,
            y: corner.y + (to.y - from.y) * length,
          };
          last = regionBetween(corner, opposite, screen.stage.picture);
          host.change(last, false);
        },
        end() {
          if (last) host.change(last, true);
        },
        cancel() {
          if (last) host.change(start, true);
        },
      };
    },
    remove() {
      if (!host.region()) return false;
      host.change(undefined, true);
      return true;
    },
    place({ x, y, width, height }) {
      const half = { width: Math.ceil(width / 2), height: Math.ceil(height / 2) };
      host.change({ x: x + (width >> 2), y: y + (height >> 2), ...half }, true);
      box.hidden = false; // what is hidden takes no focus
      box.focus();
    },
    update(region, screen) {
      box.hidden = !region;
      if (!region) return;
      placeOver(box, region, screen);
      box.ariaLabel = strings.region(region);
    },
  };
}
