/** The axes of a roofline chart: FLOP per byte across, FLOP/s upwards, both logarithmic. */
import type { Ceilings, KernelRow } from '../record.ts';
import { tag, textTag } from './markup.ts';
import { logScale, logTicks, type Range, type Scale, tickLabel } from './scale.ts';

export interface ChartSize {
  readonly width: number;
  readonly height: number;
}

export const MARGIN = { top: 18, right: 18, bottom: 46, left: 58 };

export interface Frame {
  readonly x: Scale;
  readonly y: Scale;
  readonly xs: Range;
  readonly ys: Range;
  readonly size: ChartSize;
}

export function frameOf(rows: readonly KernelRow[], ceilings: Ceilings, size: ChartSize): Frame {
  const peaks = peaksOf(ceilings).map(([, gflops]) => gflops);
  const intensities = rows.filter(({ flops }) => flops > 0).map((row) => row.flops / row.bytes);
  const ridge = Math.max(...peaks) / ceilings.copyGBs;
  const xs: Range = [
    Math.min(...intensities, ridge / 10) / 2,
    Math.max(...intensities, ridge * 2) * 2,
  ];
  const heights = rows.map((row) => heightOf(row, xs));
  const ys: Range = [
    Math.min(...heights, Math.min(...peaks) / 20) / 2,
    Math.max(...peaks, ...heights) * 2,
  ];
  return {
    xs,
    ys,
    size,
    x: logScale(xs, [MARGIN.left, size.width - MARGIN.right]),
    y: logScale(ys, [size.height - MARGIN.bottom, MARGIN.top]),
  };
}

/** Where a row stands: without arithmetic as far below the diagonal as below the copy's bandwidth. */
export const heightOf = ({ flops, gflops, gbytes }: KernelRow, [least]: Range): number =>
  flops > 0 ? gflops : gbytes * least;

export function grid({ x, y, xs, ys, size }: Frame): string {
  const bottom = size.height - MARGIN.bottom;
  const right = size.width - MARGIN.right;
  return tag(
    'g',
    { class: 'axes', 'aria-hidden': 'true' },
    ...logTicks(xs).flatMap((tick) => [
      tag('line', { class: 'grid', x1: x(tick), x2: x(tick), y1: MARGIN.top, y2: bottom }),
      textTag('text', { x: x(tick), y: bottom + 18, 'text-anchor': 'middle' }, tickLabel(tick)),
    ]),
    ...logTicks(ys).flatMap((tick) => [
      tag('line', { class: 'grid', x1: MARGIN.left, x2: right, y1: y(tick), y2: y(tick) }),
      textTag('text', { x: MARGIN.left - 8, y: y(tick) + 4, 'text-anchor': 'end' }, rateTick(tick)),
    ]),
    tag('line', { class: 'axis', x1: MARGIN.left, x2: right, y1: bottom, y2: bottom }),
    textTag(
      'text',
      { class: 'title', x: right, y: bottom + 38, 'text-anchor': 'end' },
      'arithmetic intensity, FLOP per byte',
    ),
    textTag('text', { class: 'title', x: 2, y: MARGIN.top - 6 }, 'FLOP/s'),
  );
}

/** Of billions per second: `100 M`, `10 G`, `1 T`. */
function rateTick(gflops: number): string {
  if (gflops >= 1000) return `${gflops / 1000} T`;
  return gflops >= 1 ? `${gflops} G` : `${Math.round(gflops * 1e6) / 1000} M`;
}

export type Peak = readonly [name: string, gflops: number];

/** The lowest first. */
export const peaksOf = ({ f32Gflops, f16Gflops, matrixGflops }: Ceilings): Peak[] =>
  [
    ['f32', f32Gflops] as const,
    ['f16', f16Gflops] as const,
    ['subgroup matrices', matrixGflops] as const,
  ]
    .flatMap(([name, gflops]): Peak[] => (gflops === undefined ? [] : [[name, gflops]]))
    .toSorted(([, a], [, b]) => a - b);
