/**
 * Which weights the relayout kernel takes, apart from the kernel: that comes with the first load that is
 * large enough for it (graph/load-batches.ts).
 */
import type { Shape } from '../engine/kernel.ts';

export const ELEMENT_BYTES = { F16: 2, BF16: 2, F32: 4 } as const;

/** The few others are small or odd and go through `convert`. */
export function canRelayout(layout: string, dtype: string, shape: Shape): boolean {
  const [o = 0, i = 0, ...taps] = shape;
  const columns = taps.reduce((n, d) => n * d, i);
  if (!(dtype in ELEMENT_BYTES) || o % 8 !== 0 || i % 4 !== 0 || columns % 8 !== 0) return false;
  if (layout === 'linear') return shape.length === 2 || columns === i;
  if (layout === 'conv') return shape.length === 4;
  return layout === 'phase' && taps.join() === '3,3';
}
