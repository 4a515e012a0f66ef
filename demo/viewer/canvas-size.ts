/** The canvas' size in device pixels, exactly, so that nothing is resampled on the way to the screen. */
import type { Size } from './types.ts';

export interface CanvasSize {
  readonly device: Size;
  readonly css: Size;
}

/** Calls with the size at first and whenever it changes; window zoom and moves between screens count. */
export function watchCanvasSize(
  canvas: HTMLCanvasElement,
  changed: (size: CanvasSize) => void,
  signal: AbortSignal,
): void {
  const observer = new ResizeObserver(([entry]) => {
    if (!entry) return;
    const { width, height } = entry.contentRect;
    const product = {
      width: Math.round(width * devicePixelRatio),
      height: Math.round(height * devicePixelRatio),
    };
    const [box] = entry.devicePixelContentBoxSize ?? [];
    const exact = box && { width: box.inlineSize, height: box.blockSize };
    // A screen that developer tools emulate has the pixels of the real one in its boxes.
    const isReal = exact && Math.abs(exact.width - product.width) <= 1;
    const device = isReal ? exact : product;
    changed({ device, css: { width, height } });
  });
  try {
    observer.observe(canvas, { box: 'device-pixel-content-box' });
  } catch {
    observer.observe(canvas); // Safari
  }
  signal.addEventListener('abort', () => observer.disconnect());
}
