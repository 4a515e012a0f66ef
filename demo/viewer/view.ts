/**
 * Where the picture lies on the screen, as pure functions. Three spaces: input pixels, device pixels of
 * a pane (the canvas, or a half of it in mode `side`), device pixels of the canvas.
 *
 *   pane = paneSize / 2 + (input − view) · zoom · scale
 */
import type { Mode, Point, Region, Size, View } from './types.ts';

/** A picture and the pane that it is shown in. */
export interface Stage {
  /** Input pixels. */
  readonly picture: Size;
  /** Pixels of the result per input pixel. */
  readonly scale: number;
  /** Device pixels. */
  readonly pane: Size;
}

/** Beyond this single pixels fill the screen. */
const MAX_ZOOM = 32;
/** A small picture that fits is not blown up further than this. */
const MAX_FIT_ZOOM = 4;

/** The canvas' panes: the second, for the result, begins at `second`; (0, 0) where there is one pane. */
export function panesOf(mode: Mode, canvas: Size): { readonly pane: Size; readonly second: Point } {
  const { width, height } = canvas;
  if (mode !== 'side') return { pane: canvas, second: { x: 0, y: 0 } };
  if (width >= height) {
    const half = Math.ceil(width / 2);
    return { pane: { width: width - half, height }, second: { x: half, y: 0 } };
  }
  const half = Math.ceil(height / 2);
  return { pane: { width, height: height - half }, second: { x: 0, y: half } };
}

/** The zoom at which all of the picture is seen. */
export function fitZoom({ picture, scale, pane }: Stage): number {
  const contain = Math.min(pane.width / picture.width, pane.height / picture.height) / scale;
  return Math.min(contain, MAX_FIT_ZOOM);
}

export function fitView(stage: Stage): View {
  return { x: stage.picture.width / 2, y: stage.picture.height / 2, zoom: fitZoom(stage) };
}

/** The nearest view that is allowed: no empty margin on a side where the picture is larger than the pane. */
export function clampView(view: View, stage: Stage): View {
  const least = Math.min(fitZoom(stage), 1);
  const zoom = Math.min(Math.max(view.zoom, least), MAX_ZOOM);
  const center = (at: number, length: number, pane: number): number => {
    const half = pane / (2 * zoom * stage.scale);
    return 2 * half >= length ? length / 2 : Math.min(Math.max(at, half), length - half);
  };
  return {
    x: center(view.x, stage.picture.width, stage.pane.width),
    y: center(view.y, stage.picture.height, stage.pane.height),
    zoom,
  };
}

/** The picture's corner in the pane as it is drawn: on a whole device pixel where pixels of the result are whole, so that 1:1 is sharp. */
export function originOf(view: View, stage: Stage): Point {
  const { x, y } = cornerOf(view, stage);
  return Number.isInteger(view.zoom) ? { x: Math.round(x), y: Math.round(y) } : { x, y };
}

/** As the view says. Moves count from here: rounded ones would lose what is less than a pixel. */
function cornerOf({ x, y, zoom }: View, { pane, scale }: Stage): Point {
  const pixels = zoom * scale;
  return { x: pane.width / 2 - x * pixels, y: pane.height / 2 - y * pixels };
}

export function toPane(at: Point, view: View, stage: Stage): Point {
  const origin = originOf(view, stage);
  const pixels = view.zoom * stage.scale;
  return { x: origin.x + at.x * pixels, y: origin.y + at.y * pixels };
}

export function toInput(at: Point, view: View, stage: Stage): Point {
  const corner = cornerOf(view, stage);
  const pixels = view.zoom * stage.scale;
  return { x: (at.x - corner.x) / pixels, y: (at.y - corner.y) / pixels };
}

/** What was at `from` in the pane comes to `to`, at another zoom, as far as the limits allow. */
export function moveView(view: View, stage: Stage, from: Point, to: Point, wanted: number): View {
  const { zoom } = clampView({ ...view, zoom: wanted }, stage);
  const fixed = toInput(from, view, stage);
  const pixels = zoom * stage.scale;
  const x = fixed.x + (stage.pane.width / 2 - to.x) / pixels;
  const y = fixed.y + (stage.pane.height / 2 - to.y) / pixels;
  return clampView({ x, y, zoom }, stage);
}

/**
 * From `a` (t = 0) to `b` (t = 1): the size grows by equal factors, and about one point of the picture,
 * as if it were zoomed there.
 */
export function viewBetween(a: View, b: View, t: number): View {
  const zoom = a.zoom * (b.zoom / a.zoom) ** t;
  const share = a.zoom === b.zoom ? t : (1 / a.zoom - 1 / zoom) / (1 / a.zoom - 1 / b.zoom);
  return { x: a.x + (b.x - a.x) * share, y: a.y + (b.y - a.y) * share, zoom };
}

/** The picture in a pane: its corner and its size, device pixels. */
export interface Place {
  readonly origin: Point;
  readonly size: Size;
}

/** Where a region of the picture lies in the pane. */
export function placeOf(region: Region, picture: Size, { origin, size }: Place): Region {
  const [x, y] = [size.width / picture.width, size.height / picture.height];
  return {
    x: origin.x + region.x * x,
    y: origin.y + region.y * y,
    width: region.width * x,
    height: region.height * y,
  };
}

/** Whether something of a region can be seen; regions within a device pixel of the border count. */
export function isInPane(region: Region, picture: Size, place: Place, pane: Size): boolean {
  const { x, y, width, height } = placeOf(region, picture, place);
  return x < pane.width + 1 && y < pane.height + 1 && x + width > -1 && y + height > -1;
}

/** What the pane shows, in whole input pixels, outwards. */
export function visibleRegion(view: View, stage: Stage): Region {
  const { pane, picture } = stage;
  const from = toInput({ x: 0, y: 0 }, view, stage);
  const to = toInput({ x: pane.width, y: pane.height }, view, stage);
  // What a float of the view's centre may lose must not add a row or column.
  const slack = 1e-6;
  const x = Math.max(0, Math.floor(from.x + slack));
  const y = Math.max(0, Math.floor(from.y + slack));
  return {
    x,
    y,
    width: Math.min(picture.width, Math.ceil(to.x - slack)) - x,
    height: Math.min(picture.height, Math.ceil(to.y - slack)) - y,
  };
}

/** The rectangle between two points as whole pixels of the picture, at least one. */
export function regionBetween(a: Point, b: Point, picture: Size): Region {
  const span = (from: number, to: number, length: number): readonly [number, number] => {
    const low = Math.min(Math.max(Math.round(Math.min(from, to)), 0), length - 1);
    const high = Math.min(Math.max(Math.round(Math.max(from, to)), low + 1), length);
    return [low, high - low];
  };
  const [x, width] = span(a.x, b.x, picture.width);
  const [y, height] = span(a.y, b.y, picture.height);
  return { x, y, width, height };
}
