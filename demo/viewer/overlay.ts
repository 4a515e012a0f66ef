/** Elements over the canvas, and where the picture lies under them. */
import type { Point, Region, Size, View } from './types.ts';
import { type Stage, toInput, toPane } from './view.ts';

/** What the parts of the overlay need to place themselves. */
export interface Screen {
  /** CSS pixels. */
  readonly size: Size;
  /** Device pixels per CSS pixel. */
  readonly ratio: number;
  readonly stage: Stage;
  readonly view: View;
  /** Corner of the result's pane in the canvas, device pixels. */
  readonly second: Point;
}

export function addElement(parent: Element, className: string): HTMLDivElement {
  const element = document.createElement('div');
  element.className = className;
  parent.append(element);
  return element;
}

/** An input pixel's place in the result's pane, CSS pixels. */
export function toScreen(at: Point, { stage, view, ratio }: Screen): Point {
  const { x, y } = toPane(at, view, stage);
  return { x: x / ratio, y: y / ratio };
}

/** The input pixel under a point of the canvas, CSS pixels, in whichever pane it lies. */
export function toPicture(at: Point, screen: Screen): Point {
  return toInput(inPane(at, screen), screen.view, screen.stage);
}

/** Input pixels per CSS pixel. */
export function inputPerPixel({ ratio, view, stage }: Screen): number {
  return ratio / (view.zoom * stage.scale);
}

/** A point of the canvas, CSS pixels, as device pixels of the pane that it lies in. */
export function inPane(at: Point, { ratio, second }: Screen): Point {
  const [x, y] = [at.x * ratio, at.y * ratio];
  const isSecond = x >= second.x && y >= second.y;
  return isSecond ? { x: x - second.x, y: y - second.y } : { x, y };
}

/** Puts an element of the result's pane over a part of the picture. */
export function placeOver(element: HTMLElement, region: Region, screen: Screen): void {
  const from = toScreen(region, screen);
  const to = toScreen({ x: region.x + region.width, y: region.y + region.height }, screen);
  placeAt(element, { ...from, width: to.x - from.x, height: to.y - from.y });
}

/** CSS pixels, from the corner of what the element is in. */
export function placeAt(element: HTMLElement, { x, y, width, height }: Region): void {
  Object.assign(element.style, {
    left: `${x}px`,
    top: `${y}px`,
    width: `${width}px`,
    height: `${height}px`,
  });
}
