/**
 * Roofline chart: a mark per row at (FLOP per byte, FLOP/s), under the ceilings measured in the same
 * run: the copy's bandwidth as a diagonal, the multiply-add rates as horizontals. Both axes are
 * logarithmic, so the distance of a mark from its roof is the same fraction everywhere.
 *
 * The area of a mark is its share of the path's time. Rows without arithmetic stand at the left edge,
 * at the height that keeps their distance from the diagonal.
 */
import type { Ceilings, KernelRecord, KernelRow } from '../record.ts';
import { type Family, familyOf, markPath } from './families.ts';
import { placeLabels } from './labels.ts';
import { tag, textTag } from './markup.ts';
import { ceilingBoxes, ceilingLabels, ceilingLines } from './roofline-ceilings.ts';
import { type ChartSize, type Frame, frameOf, grid, heightOf, MARGIN } from './roofline-frame.ts';
import { describeRow, nameOf, sharesOf } from './rows.ts';

/** Radii in pixels: of the smallest mark, of one with all the time, of the largest drawn. */
const RADIUS = { least: 3.5, all: 40, most: 24 };
/** So many rows that take most of the time have their names beside them, in charts this wide. */
const NAMED = { rows: 6, width: 520 };
/** Marks shrink with charts narrower than this. */
const FULL_WIDTH = 640;

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
    tag('g', { class: 'ceilings', 'aria-hidden': 'true' }, ...ceilingLines(ceilings, frame)),
    tag('g', { class: 'marks' }, ...marks.map(drawMark)),
    tag('g', { class: 'labels', 'aria-hidden': 'true' }, ...labels),
    tag('g', { class: 'ceilings', 'aria-hidden': 'true' }, ...ceilingLabels(ceilings, frame)),
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
function marksOf(rows: readonly KernelRow[], { x, y, xs, size }: Frame): Mark[] {
  const shares = sharesOf(rows);
  const scale = Math.min(1, size.width / FULL_WIDTH);
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
        radius: Math.max(
          RADIUS.least,
          scale * Math.min(RADIUS.most, RADIUS.all * Math.sqrt(share)),
        ),
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

/** Names of the rows that take longest; narrow charts have no room for them. */
function labelsOf(marks: readonly Mark[], ceilings: Ceilings, frame: Frame): string[] {
  const { size } = frame;
  if (size.width < NAMED.width) return [];
  const right = size.width - MARGIN.right;
  const taken = [
    ...marks.map(({ x, y, radius: r }) => ({
      left: x - r,
      right: x + r,
      top: y - r,
      bottom: y + r,
    })),
    ...ceilingBoxes(ceilings, frame),
  ];
  const bounds = {
    left: MARGIN.left,
    right,
    top: MARGIN.top,
    bottom: size.height - MARGIN.bottom,
  };
  const wanted = marks.slice(0, NAMED.rows).map((mark) => ({ ...mark, text: nameOf(mark.row) }));
  return placeLabels(wanted, { taken, bounds });
}
