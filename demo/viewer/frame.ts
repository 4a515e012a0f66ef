/** The viewer's state, and what a frame of it looks like: for the renderer, and for the labels. */
import type { CanvasSize } from './canvas-size.ts';
import type { Halves } from './labels.ts';
import type { Screen } from './overlay.ts';
import type { Frame } from './renderer.ts';
import { LENS_SHOWS_AFTER, SHARP_PIXELS, SHOWS_BEFORE } from './shader.ts';
import type { Images, Lens, Mode, Region, Size, Viewer } from './types.ts';
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
    pane: stage.pane,
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

/** Labels of smaller pictures lie around them, CSS pixels. */
const LABELLED: Size = { width: 200, height: 96 };

/** What is seen of before and after: of the picture in its pane, left and right of the slider. */
export function halvesOf(state: State, screen: Screen): Halves {
  if (!hasResult(state)) return {};
  const { stage, second, ratio, size } = screen;
  const { origin, size: drawn } = frameOf(state, screen);
  const x = spanOf(origin.x / ratio, drawn.width / ratio, LABELLED.width, stage.pane.width / ratio);
  const y = spanOf(
    origin.y / ratio,
    drawn.height / ratio,
    LABELLED.height,
    stage.pane.height / ratio,
  );
  const between = (from: number, to: number): Region | undefined =>
    to > from ? { x: from, y: y.from, width: to - from, height: y.to - y.from } : undefined;
  const seen = between(x.from, x.to);
  if (state.showsBefore) return { before: seen };
  if (state.mode === 'slider') {
    const split = state.slider * size.width;
    return {
      before: between(x.from, Math.min(x.to, split)),
      after: between(Math.max(x.from, split), x.to),
    };
  }
  const [right, down] = [second.x / ratio, second.y / ratio];
  const after = seen && { ...seen, x: seen.x + right, y: seen.y + down };
  return state.mode === 'side' ? { before: seen, after } : { after };
}

/** From 0 to `all`, what a length at `start` covers when it is made at least `least` long about its middle. */
function spanOf(start: number, length: number, least: number, all: number) {
  const more = Math.max(0, least - length) / 2;
  return { from: Math.max(0, start - more), to: Math.min(all, start + length + more) };
}
