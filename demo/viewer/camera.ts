/**
 * What is looked at: the view with the picture and the canvas that limit it. Pointers move it at once;
 * jumps (fit, 1:1, keys) glide there in a few frames, unless the person wants little motion.
 */
import type { CanvasSize } from './canvas-size.ts';
import { inPane, type Screen } from './overlay.ts';
import type { Images, Mode, Point, View } from './types.ts';
import { clampView, fitView, fitZoom, moveView, panesOf, viewBetween } from './view.ts';

/** What is shown, and on what. */
export interface Scene {
  readonly images: Images | undefined;
  readonly mode: Mode;
  readonly canvas: CanvasSize;
}

export interface Camera {
  readonly view: View;
  readonly isFitted: boolean;
  /** Undefined while there is nothing to see. */
  readonly screen: () => Screen | undefined;
  /** The scene has changed: a fitted view fits again, or where the picture is a new one. */
  readonly adapt: (isNewPicture: boolean) => void;
  /** What was at `from` (CSS pixels of the canvas) comes to `to`, larger by `factor`. */
  readonly move: (from: Point, to: Point, factor: number) => void;
  /** As `move`, gliding. */
  readonly glide: (from: Point, to: Point, factor: number) => void;
  /** Glides to that size about a point of the canvas. */
  readonly zoomTo: (zoom: number, at: Point) => void;
  readonly fit: () => void;
  /** At once, within the limits. */
  readonly lookAt: (view: View) => void;
  /** Goes on with a glide; true until it has arrived. */
  readonly advance: (time: number) => boolean;
  /** Middle of the pane that shows the result, or of the only one; CSS pixels of the canvas. */
  readonly middle: () => Point;
}

const GLIDE_MS = 180;

/** @param changed is called when the view is another, or is about to glide */
export function createCamera(scene: () => Scene, changed: () => void): Camera {
  const wantsLittleMotion = matchMedia('(prefers-reduced-motion: reduce)');
  let view: View = { x: 0, y: 0, zoom: 1 };
  let isFitted = true;
  let glide: { readonly from: View; readonly to: View; start: number | undefined } | undefined;

  const screen = (): Screen | undefined => {
    const { images, mode, canvas } = scene();
    const { css, device } = canvas;
    if (!images || css.width === 0 || css.height === 0) return undefined;
    const { before, scale } = images;
    const { pane, second } = panesOf(mode, device);
    const picture = { width: before.width, height: before.height };
    const ratio = device.width / css.width;
    return { size: css, ratio, second, view, stage: { picture, scale, pane } };
  };

  /** @param next is given where the view is, or is gliding to */
  const look = (next: (now: Screen, goal: View) => View, glides: boolean): void => {
    const now = screen();
    if (!now) return;
    const to = next(now, glide?.to ?? view);
    isFitted = to.zoom === fitZoom(now.stage);
    if (glides && !wantsLittleMotion.matches) glide = { from: view, to, start: undefined };
    else {
      glide = undefined;
      view = to;
    }
    changed();
  };

  const moved = (now: Screen, goal: View, from: Point, to: Point, zoom: number): View => {
    const start = inPane(from, now);
    // A drag that leaves its pane goes on as if it had not.
    const [dx, dy] = [(to.x - from.x) * now.ratio, (to.y - from.y) * now.ratio];
    return moveView(goal, now.stage, start, { x: start.x + dx, y: start.y + dy }, zoom);
  };

  return {
    get view() {
      return view;
    },
    get isFitted() {
      return isFitted;
    },
    screen,
    adapt(isNewPicture) {
      isFitted ||= isNewPicture;
      look(({ stage }, goal) => (isFitted ? fitView(stage) : clampView(goal, stage)), false);
    },
    move(from, to, factor) {
      look((now) => moved(now, view, from, to, view.zoom * factor), false);
    },
    glide(from, to, factor) {
      look((now, goal) => moved(now, goal, from, to, goal.zoom * factor), true);
    },
    zoomTo(zoom, at) {
      look((now, goal) => moved(now, goal, at, at, zoom), true);
    },
    fit() {
      look(({ stage }) => fitView(stage), true);
    },
    lookAt(next) {
      look(({ stage }) => clampView(next, stage), false);
    },
    advance(time) {
      if (!glide) return false;
      glide.start ??= time;
      const t = Math.min((time - glide.start) / GLIDE_MS, 1);
      view = t < 1 ? viewBetween(glide.from, glide.to, 1 - (1 - t) ** 3) : glide.to;
      if (t === 1) glide = undefined;
      return glide !== undefined;
    },
    middle() {
      const now = screen();
      if (!now) return { x: 0, y: 0 };
      const { second, stage, ratio } = now;
      return {
        x: (second.x + stage.pane.width / 2) / ratio,
        y: (second.y + stage.pane.height / 2) / ratio,
      };
    },
  };
}
