/** What the colours and shapes of marks mean. */
import type { KernelRow } from '../record.ts';
import { FAMILIES, FAMILY_NAMES, type Family, familyOf, markPath } from './families.ts';
import { CHARACTER } from './labels.ts';
import { tag, textTag } from './markup.ts';

/** The families that the rows have. */
export const familiesOf = (rows: readonly KernelRow[]): Family[] =>
  FAMILY_NAMES.filter((family) => rows.some(({ op }) => familyOf(op) === family));

/** A line of marks with their names, `left` pixels in. */
export function legend(
  families: readonly Family[],
  { left, y }: { readonly left: number; readonly y: number },
): string {
  let x = left;
  const items = families.map((family) => {
    const { label } = FAMILIES[family];
    const mark = tag('path', { class: `mark ${family}`, d: markPath(family, x + 5, y - 4, 4.5) });
    const name = textTag('text', { x: x + 16, y }, label);
    x += 16 + CHARACTER * label.length + 18;
    return mark + name;
  });
  return tag('g', { class: 'legend' }, ...items);
}
