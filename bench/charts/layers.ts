/**
 * The dispatches of a profiled run as the model's tree: networks, their blocks, what blocks are made
 * of. Neighbours in time with the same prefix of the layer path become one span.
 *
 *   unet.down_blocks.0.attentions.1.norm → unet · down_blocks.0 · attentions.1
 */
import type { DispatchTiming } from '../../src/engine/profiler.ts';
import { networkOf } from '../../src/invsr/measure.ts';

export const LEVELS = ['network', 'block', 'layer'] as const;

export interface LayerSpan {
  /** Index into LEVELS. */
  readonly level: number;
  readonly label: string;
  readonly path: string;
  /** Nanoseconds. */
  readonly begin: number;
  readonly end: number;
  readonly dispatches: number;
}

/** One name per level, as far as the path goes. */
export function levelsOf(path: string): string[] {
  const network = networkOf(path);
  const rest = network === 'other' ? path : path.slice(network.length + 1);
  const names = rest.split('.').reduce<string[]>((found, part) => {
    const last = found.at(-1);
    // A number belongs to the list before it.
    if (last !== undefined && /^\d+$/.test(part)) found[found.length - 1] = `${last}.${part}`;
    else found.push(part);
    return found;
  }, []);
  // The noise predictor is nothing but an encoder.
  if (names[0] === 'encoder' && names.length > 1) names.shift();
  return [network, ...names].slice(0, LEVELS.length);
}

export function layerSpans(dispatches: readonly DispatchTiming[]): LayerSpan[] {
  return LEVELS.flatMap((_, level) => {
    const spans: LayerSpan[] = [];
    let open: LayerSpan | undefined;
    for (const { path, begin, nanoseconds } of dispatches) {
      const names = levelsOf(path);
      const label = names[level];
      const prefix = label === undefined ? undefined : names.slice(0, level + 1).join('.');
      const end = begin + nanoseconds;
      if (open && open.path === prefix) {
        open = { ...open, end: Math.max(open.end, end), dispatches: open.dispatches + 1 };
        spans[spans.length - 1] = open;
      } else if (label !== undefined && prefix !== undefined) {
        open = { level, label, path: prefix, begin, end, dispatches: 1 };
        spans.push(open);
      } else {
        open = undefined;
      }
    }
    return spans;
  });
}
