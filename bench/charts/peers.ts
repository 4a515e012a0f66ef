/**
 * Bars of how many times faster we are than a peer that did the same work in the same run, on a
 * logarithmic axis around 1: twice as fast is as long as twice as slow. The thin line spans what the
 * p10 and p90 of both sides allow.
 */
import type { KernelRow } from '../record.ts';
import { familyOf } from './families.ts';
import { tag, textTag } from './markup.ts';
import { nameOf, peerRatio, type PeerRatio } from './rows.ts';
import { logScale, logTicks, type Range, tickLabel, times } from './scale.ts';

const ROW = 24;
const BAR = 13;
const TOP = 26;
/** Labels stand beside the bars, in narrow charts above them. */
const NARROW = 520;

export interface Compared {
  readonly row: KernelRow;
  readonly index: number;
  readonly ratio: PeerRatio;
}

/** Rows with a peer, the best ratio first. */
export const comparedOf = (rows: readonly KernelRow[]): Compared[] =>
  rows
    .flatMap((row, index) => {
      const ratio = peerRatio(row);
      return ratio ? [{ row, index, ratio }] : [];
    })
    .toSorted((a, b) => b.ratio.median - a.ratio.median);

/** Geometric mean of the medians' ratios: the mean of ratios that can be read both ways. */
export const meanRatio = (compared: readonly Compared[]): number =>
  Math.exp(compared.reduce((sum, { ratio }) => sum + Math.log(ratio.median), 0) / compared.length);

export function peerBars(compared: readonly Compared[], width: number): string {
  const isNarrow = width < NARROW;
  const left = isNarrow ? 8 : 250;
  const pitch = isNarrow ? ROW + 14 : ROW;
  const height = TOP + pitch * compared.length + 8;
  const range: Range = [
    Math.min(0.8, ...compared.map(({ ratio }) => ratio.low)) / 1.15,
    Math.max(2, ...compared.map(({ ratio }) => ratio.high)) * 1.15,
  ];
  const x = logScale(range, [left, width - 58]);
  const ticks = logTicks(range, 1.6).filter((tick) => tick !== 1);
  return tag(
    'svg',
    {
      class: 'chart peers',
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: 'group',
      'aria-label': `Times faster than the peer: ${compared.length} kernels`,
    },
    tag(
      'g',
      { class: 'axes', 'aria-hidden': 'true' },
      ...ticks.flatMap((tick) => [
        tag('line', { class: 'grid', x1: x(tick), x2: x(tick), y1: TOP - 6, y2: height - 6 }),
        textTag(
          'text',
          { x: x(tick), y: TOP - 12, 'text-anchor': 'middle' },
          `${tickLabel(tick)}×`,
        ),
      ]),
    ),
    ...compared.map(({ row, index, ratio }, i) => {
      const top = TOP + pitch * i + (isNarrow ? 16 : 4);
      const [from, to] = [x(Math.min(1, ratio.median)), x(Math.max(1, ratio.median))];
      const middle = top + BAR / 2;
      const label = `${nameOf(row)}: ${times(ratio.median)} (${times(ratio.low)} to ${times(ratio.high)})`;
      return tag(
        'g',
        {
          class: 'peer',
          'data-row': index,
          'data-family': familyOf(row.op),
          tabindex: -1,
          role: 'img',
          'aria-label': label,
        },
        textTag('title', {}, label),
        tag('rect', { class: 'hit', x: 0, y: TOP + pitch * i, width, height: pitch }),
        textTag(
          'text',
          isNarrow
            ? { x: left, y: top - 4 }
            : { x: left - 10, y: middle + 4, 'text-anchor': 'end' },
          nameOf(row),
        ),
        tag('rect', {
          class: `bar ${familyOf(row.op)}`,
          x: from,
          y: top,
          width: Math.max(1, to - from),
          height: BAR,
          rx: 2,
        }),
        tag('line', {
          class: 'spread',
          x1: x(ratio.low),
          x2: x(ratio.high),
          y1: middle,
          y2: middle,
        }),
        textTag(
          'text',
          { class: 'value', x: width - 4, y: middle + 4, 'text-anchor': 'end' },
          times(ratio.median),
        ),
      );
    }),
    tag('line', { class: 'axis', x1: x(1), x2: x(1), y1: TOP - 6, y2: height - 6 }),
    textTag('text', { x: x(1), y: TOP - 12, 'text-anchor': 'middle', class: 'title' }, 'as fast'),
  );
}
