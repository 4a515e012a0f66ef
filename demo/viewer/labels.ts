/** Which picture is where, in words: at the bottom of each part, cut off with it. */
import { addElement } from './overlay.ts';
import type { ViewerStrings } from './types.ts';

/** As fractions of the canvas. */
export interface Parts {
  readonly before?: { readonly width: number; readonly height: number } | undefined;
  readonly after?: { readonly width: number; readonly height: number } | undefined;
}

export interface Labels {
  update(parts: Parts): void;
}

export function createLabels(overlay: HTMLElement, strings: ViewerStrings): Labels {
  const label = (name: 'before' | 'after'): HTMLElement => {
    const part = addElement(overlay, `viewer-part viewer-part-${name}`);
    addElement(part, 'viewer-label').textContent = strings[name];
    return part;
  };
  const elements = { before: label('before'), after: label('after') };
  return {
    update(parts) {
      for (const name of ['before', 'after'] as const) {
        const { [name]: element } = elements;
        const { [name]: part } = parts;
        element.hidden = !part;
        if (!part) continue;
        element.style.width = `${part.width * 100}%`;
        element.style.height = `${part.height * 100}%`;
      }
    },
  };
}
