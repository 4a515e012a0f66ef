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
 * State is here; each part places itself from a Screen. Whatever changes calls `invalidate`, and the next
 * animation frame draws once. A surface over the canvas takes the input, the canvas only shows.
 */
import { createCamera } from './camera.ts';
import { watchCanvasSize } from './canvas-size.ts';
import { frameOf, halvesOf, initialState, modeOf, type State } from './frame.ts';
import { attachGestures, distance } from './gestures.ts';
import { attachKeys } from './keys.ts';
import { createLabels } from './labels.ts';
import { createLensRing } from './lens.ts';
import { addElement } from './overlay.ts';
import { createRegionTool } from './region.ts';
import { createRenderer } from './renderer.ts';
import { createSlider } from './slider.ts';
import { ENGLISH } from './strings.ts';
import { createTiles } from './tiles.ts';
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

/** Share of the pane that an arrow key moves the picture by. */
const PAN_STEP = 0.1;

/** The canvas fills its parent, which has class `viewer` and nothing else in it. Throws TypeError where that is not so. */
export function createViewer(canvas: HTMLCanvasElement, options: ViewerOptions): Viewer {
  const root = canvas.parentElement;
  if (!root) throw new TypeError('the canvas of a viewer must be in the page');
  const strings = { ...ENGLISH, ...options.strings };
  let renderer = createRenderer(canvas, options);
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

  const draw = (time: number): void => {
    cancelAnimationFrame(frameRequest);
    frameRequest = 0;
    const glides = camera.advance(time);
    const now = camera.screen();
    renderer.draw(now && frameOf(state, now));
    surface.hidden = !now;
    if (now) {
      const mode = modeOf(state);
      surface.dataset['mode'] = mode;
      surface.dataset['tool'] = state.tool;
      surface.toggleAttribute('data-held', state.showsBefore);
      pane.style.left = `${now.second.x / now.ratio}px`;
      pane.style.top = `${now.second.y / now.ratio}px`;
      labels.update(halvesOf(state, now));
      slider.update(mode === 'slider');
      ring.update(mode === 'lens', state.lens, now);
      tiles.update(now);
      regionTool.update(state.region, now);
    }
    if (!viewChanged) return;
    viewChanged = glides;
    if (glides) invalidate();
    options.onViewChange?.(camera.view);
  };

  function invalidate(): void {
    if (!signal.aborted) frameRequest ||= requestAnimationFrame(draw);
  }

  // --- parts -------------------------------------------------------------------------------------

  const surface = addElement(root, 'viewer-surface');
  surface.tabIndex = 0;
  surface.role = 'application'; // arrows are ours
  surface.ariaLabel = strings.picture;
  const pane = addElement(surface, 'viewer-pane');
  const tiles = createTiles(pane);
  const labels = createLabels(surface, strings);
  const slider = createSlider(
    surface,
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
  const moveLens = (to: Point): void => {
    const { width, height } = state.canvas.css;
    const inside = (fraction: number): number => Math.min(Math.max(fraction, 0), 1);
    viewer.lens = { ...state.lens, x: inside(to.x / width), y: inside(to.y / height) };
  };
  const lensMiddle = (): Point => {
    const { width, height } = state.canvas.css;
    return { x: state.lens.x * width, y: state.lens.y * height };
  };
  const ring = createLensRing(
    surface,
    strings,
    (by) => {
      const { x, y } = lensMiddle();
      moveLens({ x: x + by.x, y: y + by.y });
    },
    signal,
  );
  const regionTool = createRegionTool(
    pane,
    strings,
    {
      screen: camera.screen,
      region: () => state.region,
      change: (next, done) => {
        viewer.region = next;
        options.onRegionChange?.(next, done);
      },
    },
    signal,
  );

  attachGestures(
    surface,
    {
      press(at, isTouch) {
        if (state.tool === 'region') return regionTool.draw(at);
        const start = lensMiddle();
        if (modeOf(state) !== 'lens' || !isTouch) return undefined;
        if (distance(at, start) > state.lens.radius) return undefined;
        return {
          move: (to) => moveLens({ x: start.x + to.x - at.x, y: start.y + to.y - at.y }),
          end() {},
          cancel: () => moveLens(start),
        };
      },
      move: camera.move,
      doubleTap(at) {
        if (camera.view.zoom < 1) viewer.zoomTo(1, at);
        else viewer.fit();
      },
      hover(at) {
        if (modeOf(state) === 'lens') moveLens(at);
      },
    },
    signal,
  );
  attachKeys(
    surface,
    {
      pan({ x, y }) {
        const from = camera.middle();
        const step = PAN_STEP * Math.min(state.canvas.css.width, state.canvas.css.height);
        camera.glide(from, { x: from.x - x * step, y: from.y - y * step }, 1);
      },
      zoomBy: (factor) => viewer.zoomBy(factor),
      fit: () => viewer.fit(),
      zoomTo: (zoom) => viewer.zoomTo(zoom),
      hold(isHeld) {
        if (state.showsBefore !== isHeld) viewer.showsBefore = isHeld;
      },
      enter() {
        const visible = viewer.visibleRegion();
        if (state.tool !== 'region' || !visible) return false;
        regionTool.place(visible);
        return true;
      },
      escape: () => regionTool.remove(),
    },
    signal,
  );
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
      tiles.set(regions);
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
      renderer = createRenderer(canvas, { ...options, device });
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
      surface.remove();
    },
  };
  return viewer;
}
