/**
 * The ring around the lens. The mouse takes it along; a finger drags it by its inside, so that panning
 * stays possible beside it; with the keyboard's focus on it arrows move it.
 */
import { addElement, placeAt } from './overlay.ts';
import type { Lens, Point, Size, ViewerStrings } from './types.ts';

export interface LensHost {
  readonly lens: () => Lens;
  /** Of the canvas, CSS pixels. */
  readonly size: () => Size;
  /** By the person. */
  readonly change: (lens: Lens) => void;
}

export interface LensRing {
  /** CSS pixels of the canvas. */
  middle(): Point;
  /** The same, kept within the canvas. */
  moveTo(to: Point): void;
  update(isShown: boolean): void;
}

/** CSS pixels per arrow; with Shift ten times as much. */
const STEP = 8;

const ARROWS: Readonly<Record<string, Point>> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

/** The direction of an arrow key, ten times as long with Shift; undefined for other keys. */
export function arrowOf(event: KeyboardEvent): Point | undefined {
  const arrow = ARROWS[event.key];
  if (!arrow || event.ctrlKey || event.metaKey || event.altKey) return undefined;
  const reach = event.shiftKey ? 10 : 1;
  return { x: arrow.x * reach, y: arrow.y * reach };
}

export function createLensRing(
  overlay: HTMLElement,
  strings: ViewerStrings,
  host: LensHost,
  signal: AbortSignal,
): LensRing {
  const middle = (): Point => {
    const { width, height } = host.size();
    const { x, y } = host.lens();
    return { x: x * width, y: y * height };
  };
  const moveTo = (to: Point): void => {
    const { width, height } = host.size();
    const inside = (fraction: number): number => Math.min(Math.max(fraction, 0), 1);
    host.change({ ...host.lens(), x: inside(to.x / width), y: inside(to.y / height) });
  };

  const ring = addElement(overlay, 'viewer-lens');
  const label = addElement(ring, 'viewer-label');
  ring.tabIndex = 0;
  ring.role = 'application'; // arrows are ours
  ring.ariaLabel = strings.lens;
  ring.addEventListener(
    'keydown',
    (event) => {
      const arrow = arrowOf(event);
      if (!arrow) return;
      event.preventDefault();
      event.stopPropagation(); // arrows on the canvas pan
      const { x, y } = middle();
      moveTo({ x: x + arrow.x * STEP, y: y + arrow.y * STEP });
    },
    { signal },
  );
  return {
    middle,
    moveTo,
    update(isShown) {
      const { radius, shows } = host.lens();
      const { x, y } = middle();
      ring.hidden = !isShown;
      label.textContent = strings[shows];
      label.hidden = shows === 'after'; // as around it
      placeAt(ring, {
        x: x - radius,
        y: y - radius,
        width: 2 * radius,
        height: 2 * radius,
      });
    },
  };
}
