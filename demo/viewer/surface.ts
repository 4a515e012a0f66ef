/**
 * What lies over the canvas: a surface that takes the input, and on it labels, slider and lens, and in the
 * result's pane region and tiles. Each places itself from a Screen; what a person does with one sets a
 * property of the viewer and is told to its options.
 */
import type { Camera } from './camera.ts';
import { halvesOf, modeOf, type State } from './frame.ts';
import { createLabels } from './labels.ts';
import { createLensRing, type LensRing } from './lens.ts';
import { addElement, type Screen } from './overlay.ts';
import { createRegionTool, type RegionTool } from './region.ts';
import { createSlider } from './slider.ts';
import { ENGLISH } from './strings.ts';
import { createTiles } from './tiles.ts';
import type { Viewer, ViewerOptions } from './types.ts';

/** Whose surface it is. */
export interface SurfaceHost {
  readonly viewer: Viewer;
  readonly state: Readonly<State>;
  readonly camera: Camera;
  readonly options: ViewerOptions;
}

export interface Surface {
  readonly element: HTMLElement;
  readonly ring: LensRing;
  readonly regionTool: RegionTool;
  /** With each frame; hidden without a screen. */
  update(screen: Screen | undefined): void;
}

/** Stays until `signal` is aborted. */
export function createSurface(
  root: HTMLElement,
  { viewer, state, camera, options }: SurfaceHost,
  signal: AbortSignal,
): Surface {
  const strings = { ...ENGLISH, ...options.strings };
  const element = addElement(root, 'viewer-surface');
  element.tabIndex = 0;
  element.role = 'application'; // arrows are ours
  element.ariaLabel = strings.picture;
  signal.addEventListener('abort', () => element.remove());

  const pane = addElement(element, 'viewer-pane');
  const tiles = createTiles(pane);
  const labels = createLabels(element, strings);
  const slider = createSlider(
    element,
    strings,
    {
      position: () => state.slider,
      moveTo(position) {
        viewer.slider = position;
        options.onSliderChange?.(position);
      },
    },
    signal,
  );
  const ring = createLensRing(
    element,
    strings,
    {
      lens: () => state.lens,
      size: () => state.canvas.css,
      change(lens) {
        viewer.lens = lens;
      },
    },
    signal,
  );
  const regionTool = createRegionTool(
    pane,
    strings,
    {
      screen: camera.screen,
      region: () => state.region,
      change(region, done) {
        viewer.region = region;
        options.onRegionChange?.(region, done);
      },
    },
    signal,
  );

  return {
    element,
    ring,
    regionTool,
    update(screen) {
      element.hidden = !screen;
      if (!screen) return;
      const mode = modeOf(state);
      element.dataset['mode'] = mode;
      element.dataset['tool'] = state.tool;
      element.toggleAttribute('data-held', state.showsBefore);
      pane.style.left = `${screen.second.x / screen.ratio}px`;
      pane.style.top = `${screen.second.y / screen.ratio}px`;
      labels.update(halvesOf(state, screen));
      slider.update(mode === 'slider');
      ring.update(mode === 'lens');
      regionTool.update(state.region, screen);
      tiles.update(state.tiles, screen);
    },
  };
}
