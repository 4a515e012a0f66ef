/**
 * The ring around the lens. The mouse takes it along; a finger drags it by its inside, so that panning
 * stays possible beside it; with the keyboard's focus on it arrows move it.
 */
import { addElement, placeAt, type Screen } from './overlay.ts';
import type { Lens, Point, ViewerStrings } from './types.ts';

export interface LensRing {
  update(isShown: boolean, lens: Lens, screen: Screen): void;
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

/** @param moveBy is called with CSS pixels */
export function createLensRing(
  overlay: HTMLElement,
  strings: ViewerStrings,
  moveBy: (by: Point) => void,
  signal: AbortSignal,
): LensRing {
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
      moveBy({ x: arrow.x * STEP, y: arrow.y * STEP });
    },
    { signal },
  );
  return {
    update(isShown, { x, y, radius, shows }, { size }) {
      ring.hidden = !isShown;
      label.textContent = strings[shows];
      label.hidden = shows === 'after'; // as around it
      placeAt(ring, {
        x: x * size.width - radius,
        y: y * size.height - radius,
        width: 2 * radius,
        height: 2 * radius,
      });
    },
  };
}
