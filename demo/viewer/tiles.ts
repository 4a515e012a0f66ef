/** Outlines of the tiles under way. One that is done fades, as the style sheet says. */
import { addElement, placeOver, type Screen } from './overlay.ts';
import type { Region } from './types.ts';

export interface Tiles {
  /** Shows these, and the others no more. */
  update(regions: readonly Region[], screen: Screen): void;
}

const keyOf = ({ x, y, width, height }: Region): string => `${x} ${y} ${width} ${height}`;

export function createTiles(pane: HTMLElement): Tiles {
  /** With those that fade. */
  const shown = new Map<HTMLElement, Region>();
  const underWay = new Map<string, HTMLElement>();

  const fade = (element: HTMLElement): void => {
    element.classList.add('viewer-tile-done');
    const remove = (): void => {
      shown.delete(element);
      element.remove();
    };
    // Without an animation (people who want none) there is nothing to wait for.
    const animations = element.getAnimations();
    void Promise.allSettled(animations.map(({ finished }) => finished)).then(remove);
  };

  return {
    update(regions, screen) {
      const keys = new Set(regions.map(keyOf));
      for (const [key, element] of underWay) {
        if (keys.has(key)) continue;
        underWay.delete(key);
        fade(element);
      }
      for (const region of regions) {
        const key = keyOf(region);
        if (underWay.has(key)) continue;
        const element = addElement(pane, 'viewer-tile');
        shown.set(element, region);
        underWay.set(key, element);
      }
      for (const [element, region] of shown) placeOver(element, region, screen);
    },
  };
}
