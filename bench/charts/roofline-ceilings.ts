/** The roof: the copy's bandwidth as a diagonal, multiply-add rates as horizontals, and their names. */
import type { Ceilings } from '../record.ts';
import { BOLD, boxOf, type Box } from './labels.ts';
import { tag, textTag } from './markup.ts';
import { type Frame, MARGIN, peaksOf } from './roofline-frame.ts';
import { byteRate, flopRate } from './scale.ts';

/**
 * Their labels end where the lines begin: above the diagonal marks are rare. Where that is too near the
 * left edge they stand over the line.
 */
export function ceilingLabels(ceilings: Ceilings, frame: Frame): string[] {
  const { x, y, size } = frame;
  const { copyGBs } = ceilings;
  const right = size.width - MARGIN.right;
  let least = Number.POSITIVE_INFINITY;
  const peaks = peaksOf(ceilings).map(([name, gflops]) => {
    const text = labelOf(name, gflops);
    const ridge = x(gflops / copyGBs);
    const width = BOLD * text.length;
    const above = Math.min(y(gflops) - 6, least - 14);
    const at =
      ridge - 8 - width > MARGIN.left
        ? { x: ridge - 8, y: Math.min(y(gflops) + 4, least - 14), 'text-anchor': 'end' }
        : ridge + 6 + width < right
          ? { x: ridge + 6, y: above, 'text-anchor': 'start' }
          : { x: right, y: above, 'text-anchor': 'end' };
    least = at.y;
    return textTag('text', at, text);
  });
  const { from, to } = diagonalOf(ceilings, frame);
  const slope = (180 / Math.PI) * Math.atan2(to.y - from.y, to.x - from.x);
  const start = `translate(${from.x.toFixed(1)} ${from.y.toFixed(1)}) rotate(${slope.toFixed(1)})`;
  return [
    ...peaks,
    textTag('text', { transform: `${start} translate(14 -9)` }, `copy ${byteRate(copyGBs)}`),
  ];
}

const labelOf = (name: string, gflops: number): string => `${name} ${flopRate(gflops)}`;

export function ceilingLines(ceilings: Ceilings, frame: Frame): string[] {
  const { x, y, size } = frame;
  const { from, to } = diagonalOf(ceilings, frame);
  return [
    tag('line', { class: 'ceiling', x1: from.x, y1: from.y, x2: to.x, y2: to.y }),
    ...peaksOf(ceilings).map(([, gflops]) =>
      tag('line', {
        class: 'ceiling',
        x1: x(gflops / ceilings.copyGBs),
        x2: size.width - MARGIN.right,
        y1: y(gflops),
        y2: y(gflops),
      }),
    ),
  ];
}

/** From the left edge to the highest ceiling. */
function diagonalOf(ceilings: Ceilings, { x, y, xs }: Frame) {
  const { copyGBs } = ceilings;
  const top = Math.max(...peaksOf(ceilings).map(([, gflops]) => gflops));
  return {
    from: { x: x(xs[0]), y: y(xs[0] * copyGBs) },
    to: { x: x(top / copyGBs), y: y(top) },
  };
}

/** What names of rows keep away from. */
export function ceilingBoxes(ceilings: Ceilings, { x, y, size }: Frame): Box[] {
  return peaksOf(ceilings).flatMap(([name, gflops]) => {
    const left = x(gflops / ceilings.copyGBs);
    const width = BOLD * labelOf(name, gflops).length;
    return [
      { left, right: size.width, top: y(gflops) - 2, bottom: y(gflops) + 2 },
      boxOf(left - 8 - width, y(gflops) + 4, width),
    ];
  });
}
