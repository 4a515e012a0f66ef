/**
 * Roofline chart: a mark per row at (FLOP per byte, FLOP/s), under the ceilings measured in the same
 * run: the copy's bandwidth as a diagonal, the multiply-add rates as horizontals. Both axes are
 * logarithmic, so the distance of a mark from its roof is the same fraction everywhere.
 *
 * The area of a mark is its share of the path's time. Rows without arithmetic stand at the left edge,
 * at the height that keeps their distance from the diagonal.
 */
import type { Ceilings, KernelRecord, KernelRow } from '../record.ts';
import { FAMILY_NAMES, type Family, FAMILIES, familyOf, markPath } from './families.ts';
import { tag, textTag } from './markup.ts';
import { describeRow, nameOf, sharesOf } from './rows.ts';
import {
  byteRate,
  flopRate,
  logScale,
  logTicks,
  type Range,
  type Scale,
  tickLabel,
} from './scale.ts';

export interface ChartSize {
  readonly width: number;
  readonly height: number;
}

const MARGIN = { top: 18, right: 18, bottom: 46, left: 58 };
/** Radii in pixels: of the smallest mark, of one with all the time, of the largest drawn. */
const RADIUS = { least: 3.5, all: 40, most: 24 };
/** Rows that take most of the time have their names beside them. */
const NAMED = 6;
/** Width of a character of a 11 px label, at most. */
const CHARACTER = 6.8;

interface Frame {
  readonly x: Scale;
  readonly y: Scale;
  readonly xs: Range;
  readonly ys: Range;
  readonly size: ChartSize;
}

export function roofline(
  { rows, ceilings }: Pick<KernelRecord, 'rows' | 'ceilings'>,
  size: ChartSize,
): string {
  const frame = frameOf(rows, ceilings, size);
  const marks = marksOf(rows, frame);
  const labels = labelsOf(marks, ceilings, frame);
  return tag(
    'svg',
    {
      class: 'chart roofline',
      viewBox: `0 0 ${size.width} ${size.height}`,
      width: size.width,
      height: size.height,
      role: 'group',
      'aria-label': `Roofline: ${rows.length} kernels under the measured ceilings`,
    },
    grid(frame),
    ceilingLines(ceilings, frame),
    tag('g', { class: 'marks' }, ...marks.map(drawMark)),
    tag('g', { class: 'labels', 'aria-hidden': 'true' }, ...labels),
  );
}

// --- axes -----------------------------------------------------------------------------------------

function frameOf(rows: readonly KernelRow[], ceilings: Ceilings, size: ChartSize): Frame {
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

const heightOf = ({ flops, gflops, gbytes }: KernelRow, [least]: Range): number =>
  flops > 0 ? gflops : gbytes * least;

function grid({ x, y, xs, ys, size }: Frame): string {
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

// --- ceilings -------------------------------------------------------------------------------------

type Peak = readonly [name: string, gflops: number];

/** The lowest first. */
const peaksOf = ({ f32Gflops, f16Gflops, matrixGflops }: Ceilings): Peak[] =>
  [
    ['f32', f32Gflops] as const,
    ['f16', f16Gflops] as const,
    ['subgroup matrices', matrixGflops] as const,
  ]
    .flatMap(([name, gflops]): Peak[] => (gflops === undefined ? [] : [[name, gflops]]))
    .toSorted(([, a], [, b]) => a - b);

/** Of billions per second: `100 M`, `10 G`, `1 T`. */
function rateTick(gflops: number): string {
  if (gflops >= 1000) return `${gflops / 1000} T`;
  return gflops >= 1 ? `${gflops} G` : `${Math.round(gflops * 1e6) / 1000} M`;
}

/**
 * Their labels end where the lines begin: above the diagonal no mark can be. Where that is too near the
 * left edge they stand over the line's other end.
 */
function ceilingLines(ceilings: Ceilings, frame: Frame): string {
  const { x, y, xs, size } = frame;
  const { copyGBs } = ceilings;
  const right = size.width - MARGIN.right;
  let least = Number.POSITIVE_INFINITY;
  const lines = peaksOf(ceilings).map(([name, gflops]) => {
    const text = `${name} ${flopRate(gflops)}`;
    const ridge = x(gflops / copyGBs);
    const fits = ridge - 8 - CHARACTER * text.length > MARGIN.left;
    const at = fits
      ? { x: ridge - 8, y: Math.min(y(gflops) + 4, least - 14) }
      : { x: right, y: Math.min(y(gflops) - 6, least - 14) };
    least = at.y;
    return [
      tag('line', { class: 'ceiling', x1: ridge, x2: right, y1: y(gflops), y2: y(gflops) }),
      textTag('text', { ...at, 'text-anchor': 'end' }, text),
    ].join('');
  });
  const top = Math.max(...peaksOf(ceilings).map(([, gflops]) => gflops));
  const from = { x: x(xs[0]), y: y(xs[0] * copyGBs) };
  const to = { x: x(top / copyGBs), y: y(top) };
  const slope = (180 / Math.PI) * Math.atan2(to.y - from.y, to.x - from.x);
  const start = `translate(${from.x.toFixed(1)} ${from.y.toFixed(1)}) rotate(${slope.toFixed(1)})`;
  return tag(
    'g',
    { class: 'ceilings', 'aria-hidden': 'true' },
    tag('line', { class: 'ceiling', x1: from.x, y1: from.y, x2: to.x, y2: to.y }),
    textTag('text', { transform: `${start} translate(14 -9)` }, `copy ${byteRate(copyGBs)}`),
    ...lines,
  );
}

// --- marks ----------------------------------------------------------------------------------------

interface Mark {
  readonly row: KernelRow;
  readonly index: number;
  readonly family: Family;
  readonly share: number;
  readonly x: number;
  readonly y: number;
  readonly radius: number;
}

/** The largest first, so that none is hidden. */
function marksOf(rows: readonly KernelRow[], { x, y, xs }: Frame): Mark[] {
  const shares = sharesOf(rows);
  return rows
    .map((row, index) => {
      const share = shares[index] ?? 0;
      return {
        row,
        index,
        share,
        family: familyOf(row.op),
        x: x(row.flops > 0 ? row.flops / row.bytes : xs[0]),
        y: y(heightOf(row, xs)),
        radius: Math.min(RADIUS.most, Math.max(RADIUS.least, RADIUS.all * Math.sqrt(share))),
      };
    })
    .toSorted((a, b) => b.radius - a.radius);
}

const drawMark = ({ row, index, family, x, y, radius }: Mark): string =>
  tag(
    'path',
    {
      class: `mark ${family}${row.cut === undefined ? '' : ' cut'}`,
      d: markPath(family, x, y, radius),
      'data-row': index,
      'data-family': family,
      tabindex: -1,
      role: 'img',
      'aria-label': describeRow(row),
    },
    textTag('title', {}, describeRow(row)),
  );

interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

const meet = (a: Box, b: Box): boolean =>
  a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

/** Names of the rows that take longest, wherever beside their marks there is room. */
function labelsOf(marks: readonly Mark[], ceilings: Ceilings, { x, y, size }: Frame): string[] {
  const taken: Box[] = marks.map(({ x, y, radius: r }) => {
    return { left: x - r, right: x + r, top: y - r, bottom: y + r };
  });
  for (const [, gflops] of peaksOf(ceilings)) {
    const [left, at] = [x(gflops / ceilings.copyGBs), y(gflops)];
    taken.push({ left, right: size.width, top: at - 2, bottom: at + 2 });
  }
  const labels: string[] = [];
  for (const { row, x, y, radius } of marks.slice(0, NAMED)) {
    const text = nameOf(row);
    const width = CHARACTER * text.length;
    const gap = radius + 5;
    // Above and below, but not beyond the right edge.
    const middle = Math.min(x - width / 2, size.width - 6 - width);
    const places = [
      { left: x + gap, baseline: y + 4 },
      { left: x - gap - width, baseline: y + 4 },
      { left: middle, baseline: y + gap + 10 },
      { left: middle, baseline: y - gap },
    ];
    for (const { left, baseline } of places) {
      const box = { left, right: left + width, top: baseline - 11, bottom: baseline + 3 };
      const isInside =
        box.left > MARGIN.left &&
        box.right < size.width - 4 &&
        box.top > MARGIN.top &&
        box.bottom < size.height - MARGIN.bottom;
      if (!isInside || taken.some((other) => meet(box, other))) continue;
      taken.push(box);
      labels.push(textTag('text', { x: left, y: baseline }, text));
      break;
    }
  }
  return labels;
}

/** The families that the rows have. */
export const familiesOf = (rows: readonly KernelRow[]): Family[] =>
  FAMILY_NAMES.filter((family) => rows.some(({ op }) => familyOf(op) === family));

/** A line of marks with their meaning, `left` pixels in. */
export function legend(
  families: readonly Family[],
  { left, y }: { left: number; y: number },
): string {
  let x = left;
  const items = families.map((family) => {
    const item =
      tag('path', { class: `mark ${family}`, d: markPath(family, x + 5, y - 4, 4.5) }) +
      textTag('text', { x: x + 16, y }, FAMILIES[family].label);
    x += 16 + CHARACTER * FAMILIES[family].label.length + 18;
    return item;
  });
  return tag('g', { class: 'legend' }, ...items);
}
