/** The surface's keys: pan, zoom, fit, 1:1, a region in the middle or none, and a key that is held to see the input. */
import { arrowOf } from './lens.ts';
import type { Point } from './types.ts';

export interface KeyHandlers {
  /** Looks further in a direction; 1 is a step. */
  pan(by: Point): void;
  zoomBy(factor: number): void;
  fit(): void;
  zoomTo(zoom: number): void;
  /** Begins (true) and ends holding the key. */
  hold(isHeld: boolean): void;
  /** Enter and Escape; false where they mean nothing here. */
  enter(): boolean;
  escape(): boolean;
}

const ZOOM_STEP = 1.5;

export function attachKeys(surface: HTMLElement, handlers: KeyHandlers, signal: AbortSignal): void {
  let isHeld = false;
  const hold = (next: boolean): void => {
    if (isHeld === next) return;
    isHeld = next;
    handlers.hold(next);
  };
  /** Whether the key means something here. */
  const pressed = (event: KeyboardEvent): boolean => {
    const arrow = arrowOf(event);
    if (arrow) {
      handlers.pan(arrow);
      return true;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return false; // the browser's
    switch (event.key) {
      case '+':
      case '=': // the same key without Shift
        handlers.zoomBy(ZOOM_STEP);
        return true;
      case '-':
        handlers.zoomBy(1 / ZOOM_STEP);
        return true;
      case '0':
        handlers.fit();
        return true;
      case '1':
        handlers.zoomTo(1);
        return true;
      case ' ':
      case 'b':
      case 'B':
        hold(true); // and again while it repeats
        return true;
      case 'Enter':
        return event.target === surface && handlers.enter();
      case 'Escape':
        return handlers.escape();
      default:
        return false;
    }
  };
  surface.addEventListener(
    'keydown',
    (event) => {
      if (pressed(event)) event.preventDefault();
    },
    { signal },
  );
  surface.addEventListener(
    'keyup',
    ({ key }) => {
      if (key === ' ' || key === 'b' || key === 'B') hold(false);
    },
    { signal },
  );
  // The key's end goes elsewhere when the focus does.
  surface.addEventListener('focusout', () => hold(false), { signal });
}
