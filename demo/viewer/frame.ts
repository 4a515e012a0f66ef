/** The viewer's state, and what a frame of it looks like: for the renderer, and for the labels. */
import type { CanvasSize } from './canvas-size.ts';
import type { Halves } from './labels.ts';
import type { Screen } from './overlay.ts';
import type { Frame } from './renderer.ts';
import { LENS_SHOWS_AFTER, SHARP_PIXELS, SHOWS_BEFORE } from './shader.ts';
import type { Images, Lens, Mode, Region, Viewer } from './types.ts';
import { originOf } from './view.ts';

/** All but the view, which the camera has. */
export interface State {
  images: Images | undefined;
  canvas: CanvasSize;
  mode: Mode;
  slider: number;
  lens: Lens;
  sampling: Viewer['sampling'];
  showsBefore: boolean;
  tool: Viewer['tool'];
  region: Region | undefined;
  tiles: readonly Region[];
}

export const initialState = (): State => ({
  images: undefined,
  canvas: { css: { width: 0, height: 0 }, device: { width: 0, height: 0 } },
  mode: 'slider',
  slider: 0.5,
  lens: { x: 0.5, y: 0.5, radius: 96, magnify: 1, shows: 'before' },
  sampling: 'smooth',
  showsBefore: false,
  tool: 'pan',
  region: undefined,
  tiles: [],
});

const hasResult = ({ images }: State): boolean =>
  images?.after !== undefined || (images?.parts ?? []).length > 0;

/** There is nothing to compare before there is a result. */
export const modeOf = (state: State): Mode => (hasResult(state) ? state.mode : 'single');

export function frameOf(state: State, { stage, ratio, second, view }: Screen): Frame {
  const { slider, lens, sampling, showsBefore, canvas } = state;
  const { width, height } = canvas.device;
  const mode = modeOf(state);
  const pixels = view.zoom * stage.scale;
  return {
    origin: originOf(view, stage),
    size: { width: stage.picture.width * pixels, height: stage.picture.height * pixels },
    second,
    split: mode === 'slider' ? slider * width : 0,
    lens: {
      x: lens.x * width,
      y: lens.y * height,
      radius: mode === 'lens' ? lens.radius * ratio : 0,
      magnify: lens.magnify,
    },
    flags:
      (showsBefore ? SHOWS_BEFORE : 0) |
      (sampling === 'pixels' ? SHARP_PIXELS : 0) |
      (lens.shows === 'after' ? LENS_SHOWS_AFTER : 0),
  };
}

export function halvesOf(state: State, { stage }: Screen): Halves {
  const whole = { width: 1, height: 1 };
  if (!hasResult(state)) return {};
  if (state.showsBefore) return { before: whole };
  if (state.mode === 'slider') {
    const { slider } = state;
    return { before: { width: slider, height: 1 }, after: { width: 1 - slider, height: 1 } };
  }
  if (state.mode !== 'side') return { after: whole };
  const { width, height } = state.canvas.device;
  const half = { width: stage.pane.width / width, height: stage.pane.height / height };
  return { before: half, after: half };
}
