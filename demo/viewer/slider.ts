/**
 * The line between before and after: the platform's slider pattern, so that a screen reader tells its
 * place. Arrows move it by a hundredth of the canvas' width, PageUp and PageDown by a tenth.
 */
import { attachDrag } from './gestures.ts';
import { addElement } from './overlay.ts';
import type { ViewerStrings } from './types.ts';

export interface Slider {
  update(isShown: boolean, position: number): void;
}

const STEPS: Readonly<Record<string, number>> = {
  ArrowLeft: -0.01,
  ArrowDown: -0.01,
  ArrowRight: 0.01,
  ArrowUp: 0.01,
  PageDown: -0.1,
  PageUp: 0.1,
  Home: -1,
  End: 1,
};

/** @param moveTo is called with a place between 0 and 1 */
export function createSlider(
  overlay: HTMLElement,
  strings: ViewerStrings,
  moveTo: (position: number) => void,
  signal: AbortSignal,
): Slider {
  const line = addElement(overlay, 'viewer-slider');
  addElement(line, 'viewer-slider-handle');
  line.tabIndex = 0;
  line.role = 'slider';
  line.ariaLabel = strings.slider;
  line.ariaOrientation = 'horizontal';
  line.ariaValueMin = '0';
  line.ariaValueMax = '100';
  let now = 0;
  const move = (position: number): void => moveTo(Math.min(Math.max(position, 0), 1));

  attachDrag(
    line,
    (press) => {
      const { left, width } = overlay.getBoundingClientRect();
      // The line keeps its distance to the pointer.
      const grip = press.clientX - left - now * width;
      return ({ clientX }) => move((clientX - left - grip) / width);
    },
    signal,
  );
  line.addEventListener(
    'keydown',
    (event) => {
      const step = STEPS[event.key];
      if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation(); // arrows on the canvas pan
      move(Math.round((now + step) * 100) / 100);
    },
    { signal },
  );

  return {
    update(isShown, position) {
      now = position;
      line.hidden = !isShown;
      line.style.left = `${position * 100}%`;
      const percent = Math.round(position * 100);
      line.ariaValueNow = String(percent);
      line.ariaValueText = strings.sliderValue(percent);
    },
  };
}
