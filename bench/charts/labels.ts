/** Names beside marks, where there is room: never over another mark, name or line. */
import { tag, textTag } from './markup.ts';

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface Labelled {
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly radius: number;
}

/** Widths of a character of an 11 px label, at most. */
export const CHARACTER = 6.8;
export const BOLD = 7.2;

const meet = (a: Box, b: Box): boolean =>
  a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

const within = (a: Box, b: Box): boolean =>
  a.left >= b.left && a.right <= b.right && a.top >= b.top && a.bottom <= b.bottom;

/** Of text whose baseline begins there. */
export const boxOf = (left: number, baseline: number, width: number): Box => ({
  left,
  right: left + width,
  top: baseline - 11,
  bottom: baseline + 3,
});

interface Place {
  readonly left: number;
  readonly baseline: number;
  /** Farther away: a line says whose name it is. */
  readonly isFar?: boolean;
}

/** Beside, below, above; then farther off in the four corners. Above and below not beyond the edge. */
function placesOf({ x, y, radius }: Labelled, width: number, bounds: Box): Place[] {
  const gap = radius + 5;
  const middle = Math.min(x - width / 2, bounds.right - width);
  return [
    { left: x + gap, baseline: y + 4 },
    { left: x - gap - width, baseline: y + 4 },
    { left: middle, baseline: y + gap + 10 },
    { left: middle, baseline: y - gap },
    ...[gap + 6, gap + 24].flatMap((off) =>
      [x + off, x - off - width].flatMap((left) =>
        [y - off, y + off + 8].map((baseline) => ({ left, baseline, isFar: true })),
      ),
    ),
  ];
}

/** Markup of the names that found a place; the first ones choose first. */
export function placeLabels(
  wanted: readonly Labelled[],
  { taken, bounds }: { readonly taken: readonly Box[]; readonly bounds: Box },
): string[] {
  const occupied = [...taken];
  return wanted.flatMap((label) => {
    const { text, x, y, radius } = label;
    const width = CHARACTER * text.length;
    const place = placesOf(label, width, bounds).find(({ left, baseline }) => {
      const box = boxOf(left, baseline, width);
      return within(box, bounds) && !occupied.some((other) => meet(box, other));
    });
    if (!place) return [];
    const { left, baseline, isFar } = place;
    occupied.push(boxOf(left, baseline, width));
    const drawn = textTag('text', { x: left, y: baseline }, text);
    if (!isFar) return [drawn];
    const to = { x: left > x ? left - 2 : left + width + 2, y: baseline - 4 };
    const reach = radius / Math.hypot(to.x - x, to.y - y);
    const from = { x: x + reach * (to.x - x), y: y + reach * (to.y - y) };
    const line = { class: 'leader', x1: from.x, y1: from.y, x2: to.x, y2: to.y };
    return [tag('line', line), drawn];
  });
}
