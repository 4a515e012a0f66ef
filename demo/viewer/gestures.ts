/**
 * Mouse, pen, touch and wheel as three things that they mean: a move (pan and pinch at once), a double
 * tap, a hover. One finger pans, two pan and zoom; a touchpad's pinch arrives as wheel with ctrl, in Safari as gesture events.
 * Coordinates are CSS pixels from the element's corner.
 */
import type { Point } from './types.ts';

/** What follows a first press instead of a move, until the pointer is up or a second one comes. */
export interface Drag {
  move(at: Point): void;
  end(): void;
  /** A second finger has come: it was no drag. */
  cancel(): void;
}

export interface GestureHandlers {
  /** Takes a press as a drag of its own, or leaves it to `move`. */
  press(at: Point, isTouch: boolean): Drag | undefined;
  /** What was at `from` is now at `to`, larger by `factor`. */
  move(from: Point, to: Point, factor: number): void;
  doubleTap(at: Point): void;
  /** Mouse or pen over the element, pressed or not. */
  hover(at: Point): void;
}

const TAP_DISTANCE = 8;
const DOUBLE_TAP_DISTANCE = 32;
const DOUBLE_TAP_MS = 350;
/** e^(−0.002 · 100): a notch of a usual wheel is a fifth. */
const ZOOM_PER_WHEEL_PIXEL = 0.002;
/** A pinch's deltas are about a hundredth of the change of size. */
const ZOOM_PER_PINCH_PIXEL = 0.01;
const WHEEL_LINE = 16;

/** Where a pointer or wheel event happened, from the element's corner. */
export function pointIn(element: Element, event: MouseEvent): Point {
  const { left, top } = element.getBoundingClientRect();
  return { x: event.clientX - left, y: event.clientY - top };
}

export const distance = (a: Point, b: Point): number => Math.hypot(a.x - b.x, a.y - b.y);

export function attachGestures(
  element: HTMLElement,
  handlers: GestureHandlers,
  signal: AbortSignal,
): void {
  const pointers = new Map<number, Point>();
  let drag: Drag | undefined;
  let pressed: Point | undefined; // of a press that may still be a tap
  let lastTap: { readonly at: Point; readonly time: number } | undefined;

  const on = <K extends keyof HTMLElementEventMap>(
    type: K,
    listener: (event: HTMLElementEventMap[K]) => void,
  ): void => element.addEventListener(type, listener, { signal, passive: false });

  /** Middle of the pointers, and how far two of them are apart. */
  const hold = (): { readonly center: Point; readonly spread: number } => {
    const [a = { x: 0, y: 0 }, b = a] = pointers.values();
    const center = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
    return { center, spread: pointers.size > 1 ? Math.max(distance(a, b), 1) : 1 };
  };

  on('pointerdown', (event) => {
    if (event.button !== 0 && event.pointerType === 'mouse') return;
    const at = pointIn(element, event);
    element.setPointerCapture(event.pointerId);
    if (pointers.size === 2) return;
    pointers.set(event.pointerId, at);
    if (pointers.size === 1) {
      pressed = at;
      drag = handlers.press(at, event.pointerType === 'touch');
    } else {
      pressed = undefined;
      drag?.cancel();
      drag = undefined;
    }
  });

  on('pointermove', (event) => {
    const at = pointIn(element, event);
    if (event.pointerType !== 'touch') handlers.hover(at);
    if (!pointers.has(event.pointerId)) return;
    const was = hold();
    pointers.set(event.pointerId, at);
    if (pressed && distance(pressed, at) > TAP_DISTANCE) pressed = undefined;
    if (drag) drag.move(at);
    else {
      const now = hold();
      handlers.move(was.center, now.center, now.spread / was.spread);
    }
  });

  const release = (event: PointerEvent): void => {
    if (!pointers.delete(event.pointerId)) return;
    if (event.type === 'pointercancel') drag?.cancel();
    else drag?.end();
    drag = undefined;
    if (!pressed || event.type === 'pointercancel') return;
    const tap = { at: pressed, time: event.timeStamp };
    pressed = undefined;
    const isDouble =
      lastTap !== undefined &&
      tap.time - lastTap.time < DOUBLE_TAP_MS &&
      distance(tap.at, lastTap.at) < DOUBLE_TAP_DISTANCE;
    lastTap = isDouble ? undefined : tap;
    if (isDouble) handlers.doubleTap(tap.at);
  };
  on('pointerup', release);
  on('pointercancel', release);

  on('wheel', (event) => {
    event.preventDefault(); // else the page scrolls, or zooms as a whole
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? WHEEL_LINE : 1;
    const rate = event.ctrlKey ? ZOOM_PER_PINCH_PIXEL : ZOOM_PER_WHEEL_PIXEL;
    const at = pointIn(element, event);
    handlers.move(at, at, Math.exp(-event.deltaY * unit * rate));
  });
  const pinch = (at: Point, factor: number): void => {
    if (pointers.size === 0) handlers.move(at, at, factor);
  };
  attachSafariPinch(element, pinch, signal);
}

/** Safari's own events for a pinch; on a touch screen they come besides the pointers. */
function attachSafariPinch(
  element: HTMLElement,
  zoom: (at: Point, factor: number) => void,
  signal: AbortSignal,
): void {
  type GestureEvent = MouseEvent & { readonly scale: number };
  let scale = 1;
  const follow = (event: Event): void => {
    event.preventDefault(); // else the page zooms as a whole
    const gesture = event as GestureEvent;
    if (event.type === 'gesturechange') zoom(pointIn(element, gesture), gesture.scale / scale);
    scale = gesture.scale;
  };
  element.addEventListener('gesturestart', follow, { signal });
  element.addEventListener('gesturechange', follow, { signal });
}

/** Drags of an element of the overlay; `start` may give undefined to leave the press alone. */
export function attachDrag(
  element: HTMLElement,
  start: (event: PointerEvent) => ((event: PointerEvent, done: boolean) => void) | undefined,
  signal: AbortSignal,
): void {
  element.addEventListener(
    'pointerdown',
    (event) => {
      const move = event.button === 0 && event.isPrimary ? start(event) : undefined;
      if (!move) return;
      event.stopPropagation();
      element.setPointerCapture(event.pointerId);
      const ended = new AbortController();
      const on = (type: 'pointermove' | 'pointerup' | 'pointercancel'): void =>
        element.addEventListener(
          type,
          (next) => {
            const done = type !== 'pointermove';
            if (done) ended.abort();
            move(next, done);
          },
          { signal: AbortSignal.any([ended.signal, signal]) },
        );
      on('pointermove');
      on('pointerup');
      on('pointercancel');
    },
    { signal },
  );
}
