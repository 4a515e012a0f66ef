/** Which picture is where, in words: at its bottom corners, cut off with it. */
import { addElement, placeAt } from './overlay.ts';
import type { Region, ViewerStrings } from './types.ts';

/** What is seen of each picture, CSS pixels of the canvas; undefined where none of it is. */
export interface Halves {
  readonly before?: Region | undefined;
  readonly after?: Region | undefined;
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
        if (half) placeAt(element, half);
      }
    },
  };
}
