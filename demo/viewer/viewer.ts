/**
 * Before and after on one WebGPU canvas: the caller's textures as they are, with pan, zoom, slider, lens,
 * both side by side, and a region to select.
 *
 *   <div class="viewer"><canvas></canvas></div>           and viewer.css
 *
 *   const viewer = createViewer(canvas, { device });
 *   viewer.setImages({ before: input, after: result, scale: 4 });
 *   viewer.mode = 'slider';
 *
 * State is here. Whatever changes calls `invalidate`, and the next animation frame draws once. A surface
 * over the canvas (surface.ts) takes the input (input.ts), the canvas only shows.
 */
import { createCamera } from './camera.ts';
import { watchCanvasSize } from './canvas-size.ts';
import { frameOf, initialState, modeOf, type State } from './frame.ts';
import { attachInput } from './input.ts';
import { createRenderer } from './renderer.ts';
import { createSurface } from './surface.ts';
import type {
  Images,
  Lens,
  Mode,
  Part,
  Point,
  Region,
  View,
  Viewer,
  ViewerOptions,
} from './types.ts';
import { visibleRegion } from './view.ts';

export type { Images, Lens, Mode, Part, Point, Region, View, Viewer, ViewerOptions };

/** The canvas fills its parent, which has class `viewer` and nothing else in it. Throws TypeError where that is not so. */
export function createViewer(canvas: HTMLCanvasElement, options: ViewerOptions): Viewer {
  const root = canvas.parentElement;
  if (!root) throw new TypeError('the canvas of a viewer must be in the page');
  const ended = new AbortController();
  const { signal } = ended;

  const state = initialState();
  let viewChanged = false;
  let frameRequest = 0;
  const camera = createCamera(
    () => ({ images: state.images, mode: modeOf(state), canvas: state.canvas }),
    () => {
      viewChanged = true;
      invalidate();
    },
  );

  function invalidate(): void {
    if (!signal.aborted) frameRequest ||= requestAnimationFrame(draw);
  }

  let renderer = createRenderer(canvas, { ...options, onReady: invalidate });

  /** A property of `state` that is drawn when it is set. */
  const set = <K extends keyof State>(key: K, value: State[K]): void => {
    state[key] = value;
    invalidate();
  };

  const viewer: Viewer = {
    get mode() {
      return state.mode;
    },
    set mode(mode) {
      set('mode', mode);
      camera.adapt(false);
    },
    get slider() {
      return state.slider;
    },
    set slider(position) {
      set('slider', Math.min(Math.max(position, 0), 1));
    },
    get lens() {
      return state.lens;
    },
    set lens(lens) {
      set('lens', lens);
    },
    get sampling() {
      return state.sampling;
    },
    set sampling(sampling) {
      set('sampling', sampling);
    },
    get showsBefore() {
      return state.showsBefore;
    },
    set showsBefore(shows) {
      set('showsBefore', shows);
    },
    get tool() {
      return state.tool;
    },
    set tool(tool) {
      set('tool', tool);
    },
    get region() {
      return state.region;
    },
    set region(region) {
      set('region', region);
    },
    get view() {
      return camera.view;
    },
    set view(next) {
      camera.lookAt(next);
    },
    get tiles() {
      return state.tiles;
    },
    set tiles(regions) {
      set('tiles', regions);
    },
    get isFitted() {
      return camera.isFitted;
    },

    setImages(next) {
      renderer.setImages(next);
      const { before } = state.images ?? {};
      const isSame = before?.width === next?.before.width && before?.height === next?.before.height;
      state.images = next;
      if (!isSame) {
        viewer.region = undefined;
        viewer.tiles = [];
      }
      camera.adapt(!isSame);
      invalidate();
    },
    setDevice(device) {
      viewer.setImages(undefined);
      renderer.dispose();
      renderer = createRenderer(canvas, { ...options, device, onReady: invalidate });
      invalidate();
    },
    fit: camera.fit,
    zoomTo(zoom, at = camera.middle()) {
      camera.zoomTo(zoom, at);
    },
    zoomBy(factor, at = camera.middle()) {
      camera.glide(at, at, factor);
    },
    visibleRegion() {
      const now = camera.screen();
      return now && visibleRegion(now.view, now.stage);
    },
    invalidate,
    dispose() {
      ended.abort();
      cancelAnimationFrame(frameRequest);
      renderer.dispose();
    },
  };

  const host = { viewer, state, camera, options };
  const surface = createSurface(root, host, signal);
  attachInput(surface, host, signal);
  watchCanvasSize(
    canvas,
    (next) => {
      state.canvas = next;
      canvas.width = Math.max(next.device.width, 1);
      canvas.height = Math.max(next.device.height, 1);
      camera.adapt(false);
      draw(performance.now()); // now: a canvas that has a new size is empty
    },
    signal,
  );

  function draw(time: number): void {
    cancelAnimationFrame(frameRequest);
    frameRequest = 0;
    const glides = camera.advance(time);
    const now = camera.screen();
    renderer.draw(now && frameOf(state, now));
    surface.update(now);
    if (!viewChanged) return;
    viewChanged = glides;
    if (glides) invalidate();
    options.onViewChange?.(camera.view);
  }

  return viewer;
}
