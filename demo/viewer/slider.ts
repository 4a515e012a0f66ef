/**
 * The line between before and after: the platform's slider pattern, so that a screen reader tells its
 * place. Arrows move it by a hundredth of the canvas' width, PageUp and PageDown by a tenth.
 */
import { attachDrag } from './gestures.ts';
import { addElement } from './overlay.ts';
import type { ViewerStrings } from './types.ts';

export interface Slider {
  update(isShown: boolean): void;
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

export interface SliderHost {
  /** Between 0 and 1. */
  readonly position: () => number;
  /** By the person. */
  readonly moveTo: (position: number) => void;
}

export function createSlider(
  overlay: HTMLElement,
  strings: ViewerStrings,
  host: SliderHost,
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
  const move = (position: number): void => host.moveTo(Math.min(Math.max(position, 0), 1));

  attachDrag(
    line,
    (press) => {
      const { left, width } = overlay.getBoundingClientRect();
      // The line keeps its distance to the pointer.
      const grip = press.clientX - left - host.position() * width;
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
      move(Math.round((host.position() + step) * 100) / 100);
    },
    { signal },
  );

  return {
    update(isShown) {
      const position = host.position();
      line.hidden = !isShown;
      line.style.left = `${position * 100}%`;
      const percent = Math.round(position * 100);
      line.ariaValueNow = String(percent);
      line.ariaValueText = strings.sliderValue(percent);
    },
  };
}
