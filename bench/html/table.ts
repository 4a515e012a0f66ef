/** The table of a bench of kernels: sortable by every column, linked with the charts by `data-row`. */
import { familyOf, markPath } from '../charts/families.ts';
import { escape, tag, textTag } from '../charts/markup.ts';
import { peerRatio, sharesOf, timeOf } from '../charts/rows.ts';
import { figure, percent, times } from '../charts/scale.ts';
import type { KernelRow } from '../record.ts';

interface Column {
  readonly title: string;
  /** For sorting; absent where the row has no such figure. */
  readonly value: (row: KernelRow, index: number) => number | string | undefined;
  /** Markup. @default the value */
  readonly cell?: (row: KernelRow, index: number) => string;
  readonly isText?: boolean;
}

/** Longest on the path first, as the charts weigh them. */
export function kernelTable(rows: readonly KernelRow[]): string {
  const columns = columnsOf(rows);
  const order = rows.map((_, i) => i).toSorted((a, b) => pathTime(rows, b) - pathTime(rows, a));
  return tag(
    'div',
    { class: 'table', tabindex: 0, role: 'region', 'aria-label': 'Every kernel' },
    tag(
      'table',
      {},
      tag('thead', {}, tag('tr', {}, ...columns.map(titleCell))),
      tag(
        'tbody',
        {},
        ...order.map((index) => {
          const row = rows[index];
          return row ? rowOf(row, index, columns) : '';
        }),
      ),
    ),
  );
}

const pathTime = (rows: readonly KernelRow[], index: number): number => {
  const row = rows[index];
  return row ? timeOf(row) : 0;
};

const titleCell = ({ title, isText }: Column): string =>
  tag(
    'th',
    {
      scope: 'col',
      class: isText ? 'text' : undefined,
      'aria-sort': title === SORTED ? 'descending' : undefined,
    },
    textTag('button', { type: 'button' }, title),
  );

const SORTED = 'share';

function rowOf(row: KernelRow, index: number, columns: readonly Column[]): string {
  return tag(
    'tr',
    {
      'data-row': index,
      'data-family': familyOf(row.op),
      'data-text':
        `${row.op} ${row.variant} ${row.size} ${row.network} ${row.design ?? ''}`.toLowerCase(),
    },
    ...columns.map(({ value, cell, isText }, i) => {
      const found = value(row, index);
      const text = cell?.(row, index) ?? (found === undefined ? '' : escape(String(found)));
      const attributes = { class: isText ? 'text' : undefined, 'data-value': found ?? '' };
      return i === 0
        ? tag('th', { ...attributes, scope: 'row' }, text)
        : tag('td', attributes, text);
    }),
  );
}

function columnsOf(rows: readonly KernelRow[]): Column[] {
  const shares = sharesOf(rows);
  const hasPeer = rows.some(({ peer }) => peer !== undefined);
  const hasDesign = rows.some(({ design }) => design !== undefined);
  return [
    { title: 'kernel', value: ({ op, size }) => `${op} ${size}`, cell: nameCell, isText: true },
    { title: 'network', value: ({ network }) => network, isText: true },
    { title: 'count', value: ({ count }) => count },
    {
      title: 'ms',
      value: ({ milliseconds }) => milliseconds.median,
      cell: ({ milliseconds }) => figure(milliseconds.median),
    },
    {
      title: 'p10 – p90',
      value: ({ milliseconds }) => milliseconds.p90 / milliseconds.p10,
      cell: ({ milliseconds: { p10, p90 } }) => `${figure(p10)} – ${figure(p90)}`,
    },
    {
      title: SORTED,
      value: (_, i) => shares[i],
      cell: (_, i) => percent(shares[i] ?? 0),
    },
    { title: 'GFLOP/s', value: ({ gflops }) => gflops, cell: ({ gflops }) => figure(gflops) },
    { title: 'GB/s', value: ({ gbytes }) => gbytes, cell: ({ gbytes }) => figure(gbytes) },
    {
      title: 'of ceiling',
      value: ({ ofCeiling }) => ofCeiling,
      cell: ({ ofCeiling }) => percent(ofCeiling) + meter(ofCeiling),
    },
    ...(hasDesign
      ? [{ title: 'design', value: ({ design }: KernelRow) => design, isText: true }]
      : []),
    ...(hasPeer
      ? [
          {
            title: 'vs peer',
            value: (row: KernelRow) => peerRatio(row)?.median,
            cell: (row: KernelRow) => {
              const ratio = peerRatio(row);
              return ratio ? times(ratio.median) : '';
            },
          },
        ]
      : []),
  ];
}

function nameCell({ op, size, variant, cut }: KernelRow): string {
  const family = familyOf(op);
  return [
    tag(
      'svg',
      { class: 'swatch', viewBox: '-5 -5 10 10', 'aria-hidden': 'true' },
      tag('path', { class: `mark ${family}`, d: markPath(family, 0, 0, 4.5) }),
    ),
    escape(`${op} ${size}`),
    cut === undefined ? '' : textTag('span', { class: 'badge', title: cut }, 'cut'),
    textTag('code', { title: variant }, variant),
  ].join('');
}

const meter = (share: number): string =>
  tag(
    'span',
    { class: 'meter', 'aria-hidden': 'true' },
    tag('i', { style: `width:${Math.min(100, 100 * share).toFixed(1)}%` }),
  );
