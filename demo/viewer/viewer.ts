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
import { type CanvasSize, watchCanvasSize } from './canvas-size.ts';
import { attachGestures, distance } from './gestures.ts';
import { attachKeys } from './keys.ts';
import { createLabels, type Parts } from './labels.ts';
import { createLensRing } from './lens.ts';
import { addElement, type Screen } from './overlay.ts';
import { createRegionTool } from './region.ts';
import { checkImages, createRenderer, type Frame } from './renderer.ts';
import { LENS_SHOWS_AFTER, SHARP_PIXELS, SHOWS_BEFORE } from './shader.ts';
import { createSlider } from './slider.ts';
import { ENGLISH } from './strings.ts';
import { createTiles } from './tiles.ts';
import type { Images, Lens, Mode, Point, Region, View, Viewer, ViewerOptions } from './types.ts';
import { originOf, visibleRegion } from './view.ts';

export type { Images, Lens, Mode, Point, Region, View, Viewer, ViewerOptions };

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

  let images: Images | undefined;
  let size: CanvasSize = { css: { width: 0, height: 0 }, device: { width: 0, height: 0 } };
  let viewChanged = false;
  let frameRequest = 0;
  let region: Region | undefined;
  let tileRegions: readonly Region[] = [];
  let lens: Lens = { x: 0.5, y: 0.5, radius: 96, magnify: 1, shows: 'before' };
  const state = {
    mode: 'slider' as Mode,
    slider: 0.5,
    sampling: 'smooth' as Viewer['sampling'],
    showsBefore: false,
    tool: 'pan' as Viewer['tool'],
  };
  /** There is nothing to compare before there is a result. */
  const modeNow = (): Mode => (images?.after ? state.mode : 'single');
  const camera = createCamera(
    () => ({ images, mode: modeNow(), canvas: size }),
    () => {
      viewChanged = true;
      invalidate();
    },
  );

  // --- drawing -----------------------------------------------------------------------------------

  const frameOf = ({ stage, ratio, second, view }: Screen): Frame => {
    const pixels = view.zoom * stage.scale;
    const mode = modeNow();
    const { width, height } = size.device;
    return {
      origin: originOf(view, stage),
      size: { width: stage.picture.width * pixels, height: stage.picture.height * pixels },
      second,
      split: mode === 'slider' ? state.slider * width : 0,
      lens: {
        x: lens.x * width,
        y: lens.y * height,
        radius: mode === 'lens' ? lens.radius * ratio : 0,
        magnify: lens.magnify,
      },
      flags:
        (state.showsBefore || !images?.after ? SHOWS_BEFORE : 0) |
        (state.sampling === 'pixels' ? SHARP_PIXELS : 0) |
        (lens.shows === 'after' ? LENS_SHOWS_AFTER : 0),
    };
  };

  const partsOf = ({ stage }: Screen): Parts => {
    const whole = { width: 1, height: 1 };
    if (!images?.after) return {};
    if (state.showsBefore) return { before: whole };
    if (state.mode === 'slider') {
      const { slider } = state;
      return { before: { width: slider, height: 1 }, after: { width: 1 - slider, height: 1 } };
    }
    if (state.mode !== 'side') return { after: whole };
    const half = {
      width: stage.pane.width / size.device.width,
      height: stage.pane.height / size.device.height,
    };
    return { before: half, after: half };
  };

  const draw = (time: number): void => {
    cancelAnimationFrame(frameRequest);
    frameRequest = 0;
    const glides = camera.advance(time);
    const now = camera.screen();
    renderer.draw(now && frameOf(now));
    surface.hidden = !now;
    if (now) {
      const mode = modeNow();
      surface.dataset['mode'] = mode;
      surface.dataset['tool'] = state.tool;
      pane.style.left = `${now.second.x / now.ratio}px`;
      pane.style.top = `${now.second.y / now.ratio}px`;
      labels.update(partsOf(now));
      slider.update(mode === 'slider' && !state.showsBefore);
      ring.update(mode === 'lens' && !state.showsBefore, lens, now);
      tiles.update(now);
      regionTool.update(region, now);
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
    const inside = (at: number, length: number): number => Math.min(Math.max(at / length, 0), 1);
    viewer.lens = { ...lens, x: inside(to.x, size.css.width), y: inside(to.y, size.css.height) };
  };
  const lensMiddle = (): Point => ({ x: lens.x * size.css.width, y: lens.y * size.css.height });
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
      region: () => region,
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
      press(at, pointer) {
        if (state.tool === 'region') return regionTool.draw(at);
        const start = lensMiddle();
        if (modeNow() !== 'lens' || pointer === 'mouse') return undefined;
        if (distance(at, start) > lens.radius) return undefined;
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
        if (modeNow() === 'lens') moveLens(at);
      },
    },
    signal,
  );
  attachKeys(
    surface,
    {
      pan({ x, y }) {
        const from = camera.middle();
        const step = PAN_STEP * Math.min(size.css.width, size.css.height);
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
    },
    signal,
  );
  watchCanvasSize(
    canvas,
    (next) => {
      size = next;
      canvas.width = Math.max(next.device.width, 1);
      canvas.height = Math.max(next.device.height, 1);
      camera.adapt(false);
      draw(performance.now()); // now: a canvas that has a new size is empty
    },
    signal,
  );

  /** A property of `state` that is drawn when it is set. */
  const set = <K extends keyof typeof state>(key: K, value: (typeof state)[K]): void => {
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
      return lens;
    },
    set lens(next) {
      lens = next;
      invalidate();
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
      return region;
    },
    set region(next) {
      region = next;
      invalidate();
    },
    get view() {
      return camera.view;
    },
    set view(next) {
      camera.lookAt(next);
    },
    get tiles() {
      return tileRegions;
    },
    set tiles(regions) {
      tileRegions = regions;
      tiles.set(regions);
      invalidate();
    },
    get isFitted() {
      return camera.isFitted;
    },

    setImages(next) {
      if (next) checkImages(next);
      const isSame =
        images?.before.width === next?.before.width &&
        images?.before.height === next?.before.height;
      images = next;
      renderer.setImages(next);
      if (!isSame) {
        region = undefined;
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
