/** A bench of kernels as sections of the report: key figures, roofline, peers. */
import { FAMILIES, type Family, markPath } from '../charts/families.ts';
import { familiesOf } from '../charts/legend.ts';
import { escape, tag, textTag } from '../charts/markup.ts';
import { comparedOf, meanRatio, peerBars } from '../charts/peers.ts';
import { roofline } from '../charts/roofline.ts';
import { nameOf, peerRatio, sharesOf, timeOf } from '../charts/rows.ts';
import { byteRate, duration, flopRate, percent, times } from '../charts/scale.ts';
import type { KernelRecord, KernelRow } from '../record.ts';
import { kernelTable } from './table.ts';

/** Two drawings of a chart; the style sheet picks by the page's width. */
const both = (draw: (width: number) => string): string =>
  tag('div', { class: 'wide' }, draw(860)) + tag('div', { class: 'narrow' }, draw(360));

export function kernelSections(record: KernelRecord): string[] {
  const { rows, clock } = record;
  const compared = comparedOf(rows);
  const peer = compared[0]?.row.peer;
  const [longest] = rows.toSorted((a, b) => timeOf(b) - timeOf(a));
  return [
    tiles(record),
    tag(
      'section',
      {},
      textTag('h2', {}, 'Roofline'),
      textTag('p', { class: 'note' }, rooflineNote(record)),
      controls(familiesOf(rows)),
      tag(
        'div',
        { class: 'figure' },
        both((width) => roofline(record, { width, height: width < 520 ? 400 : 520 })),
        tag(
          'aside',
          {},
          tag('div', { class: 'detail', 'aria-live': 'polite' }, longest ? detailOf(longest) : ''),
          textTag('p', { class: 'note hint' }, HINT),
        ),
      ),
      ...rows.map((row, i) => tag('template', { 'data-detail': i }, detailOf(row))),
    ),
    ...(peer
      ? [
          tag(
            'section',
            {},
            textTag('h2', {}, `Beside ${peer.name}`),
            textTag(
              'p',
              { class: 'note' },
              `How many times faster we are, by the medians of runs in turns; the line is what p10 and p90 of both sides allow. Outputs were compared before times were taken. ${missingPeers(rows)}`,
            ),
            both((width) => peerBars(compared, width)),
          ),
        ]
      : []),
    tag(
      'section',
      { class: 'long' },
      textTag('h2', {}, 'Every kernel'),
      textTag(
        'p',
        { class: 'note' },
        `${clock.kind === 'wall-batches' ? "Median of a kernel's time by the host's clock" : "Median of a kernel's GPU time"}; a click on a title sorts. Time on the path is count times median.`,
      ),
      kernelTable(rows),
    ),
  ];
}

function missingPeers(rows: readonly KernelRow[]): string {
  const missing = rows.filter(({ noPeer }) => noPeer !== undefined).length;
  return missing > 0 ? `Rows without a figure of the peer: ${missing}; their details say why.` : '';
}

/** More than noise above what should be the limit. */
const ABOVE = 1.05;

function rooflineNote({ rows }: KernelRecord): string {
  const above = rows.filter(({ ofCeiling }) => ofCeiling > ABOVE).length;
  const isCut = rows.some(({ cut }) => cut !== undefined);
  return [
    'Each mark is a kernel at the work it does per byte of compulsory traffic and the speed it reached, under the ceilings measured in the same run.',
    'The area of a mark is its share of the time on the path.',
    ...(rows.some(({ flops }) => flops === 0)
      ? ['Kernels that only move data stand at the left edge.']
      : []),
    ...(above > 0
      ? [
          `${above} ${above === 1 ? 'row is' : 'rows are'} above the ceiling: tensors that stay in caches, or a machine that others used meanwhile.`,
        ]
      : []),
    ...(isCut ? ['Pale marks are cases made smaller for this adapter.'] : []),
  ].join(' ');
}

// --- key figures ----------------------------------------------------------------------------------

function tiles({ rows, skipped }: KernelRecord): string {
  const shares = sharesOf(rows);
  const total = rows.reduce((sum, row) => sum + timeOf(row), 0);
  const reached = rows.reduce((sum, row, i) => sum + row.ofCeiling * (shares[i] ?? 0), 0);
  const cuts = rows.filter(({ cut }) => cut !== undefined).length;
  const compared = comparedOf(rows);
  const longest = rows[shares.indexOf(Math.max(...shares))];
  const items: (readonly [title: string, value: string, more: string])[] = [
    [
      'Of the measured ceiling',
      percent(reached),
      'mean over the rows, weighted by time on the path',
    ],
    [
      'Sum of the rows',
      duration(total),
      cuts > 0 ? `count × median; ${cuts} of ${rows.length} rows cut` : 'count × median',
    ],
    ...(compared.length > 0
      ? [
          [
            'Against the peer',
            times(meanRatio(compared)),
            `geometric mean of ${compared.length} kernels`,
          ] as const,
        ]
      : []),
    ...(longest ? [['Takes longest', percent(Math.max(...shares)), nameOf(longest)] as const] : []),
    [
      'Kernels measured',
      String(rows.length),
      skipped.length > 0 ? `${skipped.length} skipped, see below` : 'none skipped',
    ],
  ];
  return tag(
    'dl',
    { class: 'tiles' },
    ...items.map(([title, value, more]) =>
      tag(
        'div',
        {},
        textTag('dt', {}, title),
        tag('dd', {}, escape(value), textTag('small', {}, more)),
      ),
    ),
  );
}

// --- controls and details -------------------------------------------------------------------------

const controls = (families: readonly Family[]): string =>
  tag(
    'div',
    { class: 'controls', role: 'group', 'aria-label': 'Rows that are shown' },
    ...families.map((family) =>
      tag(
        'button',
        { type: 'button', class: 'family', 'data-family': family, 'aria-pressed': 'true' },
        tag(
          'svg',
          { viewBox: '-6 -6 12 12', 'aria-hidden': 'true' },
          tag('path', { class: `mark ${family}`, d: markPath(family, 0, 0, 5) }),
        ),
        escape(FAMILIES[family].label),
      ),
    ),
    tag('input', {
      id: 'filter',
      type: 'search',
      placeholder: 'Filter: conv2d 512x512, unet …',
      'aria-label': 'Filter rows by text',
    }),
    tag('output', { id: 'filter-count', for: 'filter' }),
  );

const HINT = 'Point at a mark, or reach the chart with Tab and walk with the arrow keys.';

function detailOf(row: KernelRow): string {
  const { milliseconds, count, network, bound, ofCeiling, design, cut, peer, noPeer } = row;
  const ratio = peerRatio(row);
  const facts: (readonly [string, string])[] = [
    ['network', count > 1 ? `${network}, ${count} times` : network],
    ['median', duration(milliseconds.median)],
    ['p10 to p90', `${duration(milliseconds.p10)} – ${duration(milliseconds.p90)}`],
    ['speed', flopRate(row.gflops)],
    ['traffic', byteRate(row.gbytes)],
    ['limited by', bound === 'compute' ? 'arithmetic' : 'memory'],
    ['of the ceiling', percent(ofCeiling)],
    ...(row.isPrepared ? [['runs', 'once per model'] as const] : []),
    ...(design === undefined ? [] : [['design', design] as const]),
    ...(cut === undefined ? [] : [['made smaller', cut] as const]),
    ...(peer && ratio
      ? [
          ['peer', `${duration(peer.milliseconds.median)}, ${times(ratio.median)}`] as const,
          ...(peer.ours ? [['ours in turns', duration(peer.ours.median)] as const] : []),
          ['difference', peer.difference.toExponential(1)] as const,
        ]
      : []),
    ...(noPeer === undefined ? [] : [['no peer', noPeer] as const]),
  ];
  return [
    textTag('h3', {}, nameOf(row)),
    textTag('code', {}, row.variant),
    tag(
      'dl',
      {},
      ...facts.map(([name, value]) => textTag('dt', {}, name) + textTag('dd', {}, value)),
    ),
  ].join('');
}
