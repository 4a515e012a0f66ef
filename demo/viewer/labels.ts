/** Which picture is where, in words: at the bottom of each half, cut off with it. */
import { addElement } from './overlay.ts';
import type { ViewerStrings } from './types.ts';

/** As fractions of the canvas. */
export interface Halves {
  readonly before?: { readonly width: number; readonly height: number } | undefined;
  readonly after?: { readonly width: number; readonly height: number } | undefined;
}

export interface Labels {
  update(halves: Halves): void;
}

export function createLabels(overlay: HTMLElement, strings: ViewerStrings): Labels {
  const label = (name: 'before' | 'after'): HTMLElement => {
    const half = addElement(overlay, `viewer-half viewer-half-${name}`);
    addElement(half, 'viewer-label').textContent = strings[name];
    return half;
  };
  const elements = { before: label('before'), after: label('after') };
  return {
    update(halves) {
      for (const name of ['before', 'after'] as const) {
        const { [name]: element } = elements;
        const { [name]: half } = halves;
        element.hidden = !half;
        if (!half) continue;
        element.style.width = `${half.width * 100}%`;
        element.style.height = `${half.height * 100}%`;
      }
    },
  };
}
