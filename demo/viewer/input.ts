/** What pointers, wheel and keys on the surface do to the viewer. */
import { modeOf } from './frame.ts';
import { attachGestures, distance } from './gestures.ts';
import { attachKeys } from './keys.ts';
import type { Surface, SurfaceHost } from './surface.ts';

/** Share of the pane that an arrow key moves the picture by. */
const PAN_STEP = 0.1;

export function attachInput(
  { element, ring, regionTool }: Surface,
  { viewer, state, camera }: SurfaceHost,
  signal: AbortSignal,
): void {
  attachGestures(
    element,
    {
      press(at, isTouch) {
        if (state.tool === 'region') return regionTool.draw(at);
        const start = ring.middle();
        if (modeOf(state) !== 'lens' || !isTouch) return undefined;
        if (distance(at, start) > state.lens.radius) return undefined;
        return {
          move: (to) => ring.moveTo({ x: start.x + to.x - at.x, y: start.y + to.y - at.y }),
          end() {},
          cancel: () => ring.moveTo(start),
        };
      },
      move: camera.move,
      doubleTap(at) {
        if (camera.view.zoom < 1) viewer.zoomTo(1, at);
        else viewer.fit();
      },
      hover(at) {
        if (modeOf(state) === 'lens') ring.moveTo(at);
      },
    },
    signal,
  );
  attachKeys(
    element,
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
}
