/** A record of kernels, and a comparison, as text for a terminal. */
import type { Comparison } from './compare.ts';
import { comparedOf } from './charts/peers.ts';
import { peerRatio } from './charts/rows.ts';
import type { Ceilings, ClockFacts, KernelRecord, KernelRow } from './record.ts';
import { type Column, digits, markdownTable, textTable } from './table.ts';

const COLUMNS: readonly Column<KernelRow>[] = [
  { title: 'kernel', align: 'left', cell: ({ op }) => op },
  { title: 'size', align: 'left', cell: ({ size }) => size },
  { title: 'count', cell: ({ count }) => String(count) },
  { title: 'ms', cell: ({ milliseconds }) => digits(milliseconds.median) },
  { title: 'p10', cell: ({ milliseconds }) => digits(milliseconds.p10) },
  { title: 'p90', cell: ({ milliseconds }) => digits(milliseconds.p90) },
  { title: 'runs', cell: ({ milliseconds }) => String(milliseconds.runs) },
  { title: 'GFLOP/s', cell: ({ gflops }) => digits(gflops) },
  { title: 'GB/s', cell: ({ gbytes }) => digits(gbytes) },
  { title: 'bound', align: 'left', cell: ({ bound }) => bound },
  { title: '% of ceiling', cell: ({ ofCeiling }) => (100 * ofCeiling).toFixed(1) },
];

/** Right before the times, which are not those of the whole. */
const CUT: Column<KernelRow> = { title: 'CUT to', align: 'left', cell: ({ cut }) => cut ?? '' };
const DESIGN: Column<KernelRow> = {
  title: 'design',
  align: 'left',
  cell: ({ design }) => design ?? '',
};
const PEER: readonly Column<KernelRow>[] = [
  { title: 'ours in turns', cell: ({ peer }) => (peer?.ours ? digits(peer.ours.median) : '') },
  { title: 'peer ms', cell: ({ peer }) => (peer ? digits(peer.milliseconds.median) : '') },
  {
    title: 'times faster',
    cell: (row) => {
      const ratio = peerRatio(row);
      return ratio ? digits(ratio.median) : '';
    },
  },
];
const VARIANT: Column<KernelRow> = {
  title: 'variant',
  align: 'left',
  cell: ({ variant }) => variant,
};

export interface TableOptions {
  readonly isMarkdown?: boolean;
}

/** By network, in each what takes the longest first. */
export function kernelLines(record: KernelRecord, { isMarkdown }: TableOptions = {}): string[] {
  const { rows, skipped, ceilings, clock, incomplete } = record;
  const columns = [
    ...COLUMNS.slice(0, 2),
    ...(rows.some(({ cut }) => cut !== undefined) ? [CUT] : []),
    ...COLUMNS.slice(2),
    ...(rows.some(({ design }) => design !== undefined) ? [DESIGN] : []),
    ...(rows.some(({ peer }) => peer) ? PEER : []),
    VARIANT,
  ];
  const table = isMarkdown ? markdownTable : textTable;
  const total = ({ count, milliseconds }: KernelRow): number => count * milliseconds.median;
  const networks = [...new Set(rows.map(({ network }) => network))];
  const cuts = rows.filter(({ cut }) => cut !== undefined).length;
  const alone = rows.flatMap(({ id, noPeer }) => (noPeer === undefined ? [] : [{ id, noPeer }]));
  return [
    ceilingLine(ceilings),
    clockLine(clock),
    ...networks.flatMap((network) => {
      const own = rows.filter((row) => row.network === network);
      return [
        '',
        network,
        table(
          columns,
          own.toSorted((a, b) => total(b) - total(a)),
        ),
      ];
    }),
    '',
    ...besidePeer(rows, table),
    ...(cuts > 0
      ? [
          `${cuts} of ${rows.length} kernels were CUT to what this adapter can run (see variant): their ms are not those of the whole`,
        ]
      : []),
    ...(alone.length > 0 ? [`${alone.length} without a figure of the peer:`] : []),
    ...alone.map(({ id, noPeer }) => `  ${id}: ${noPeer}`),
    ...(skipped.length > 0 ? [`${skipped.length} without a figure:`] : []),
    ...skipped.map(({ id, why }) => `  ${id}: ${why}`),
    ...(incomplete === undefined ? [] : [`INCOMPLETE: ${incomplete}`]),
  ];
}

/** How many times faster than the peer, by model and op: what a reader wants before two hundred lines. */
function besidePeer(rows: readonly KernelRow[], table: typeof textTable): string[] {
  const all = comparedOf(rows).map((one) => ({ ...one, of: `${modelOf(one.row)} ${one.row.op}` }));
  if (all.length === 0) return [];
  const groups = [...new Set(all.map(({ of }) => of))]
    .toSorted()
    .map((of) => ({ of, compared: all.filter((one) => one.of === of) }));
  type Group = (typeof groups)[number];
  const ratioAt = ({ compared }: Group, at: number): string =>
    digits(compared.at(at)?.ratio.median ?? NaN);
  return [
    'times faster than the peer',
    table<Group>(
      [
        { title: 'kernels of', align: 'left', cell: ({ of }) => of },
        { title: 'shapes', cell: ({ compared }) => String(compared.length) },
        { title: 'least', cell: (group) => ratioAt(group, -1) },
        { title: 'median', cell: (group) => ratioAt(group, group.compared.length >> 1) },
        { title: 'most', cell: (group) => ratioAt(group, 0) },
        {
          title: 'least at',
          align: 'left',
          cell: ({ compared }) => compared.at(-1)?.row.variant ?? '',
        },
      ],
      groups,
    ),
    '',
  ];
}

/** Networks of other models than InvSR-1 have theirs in front. */
const modelOf = ({ network }: KernelRow): string =>
  network.includes(' ') ? network.slice(0, network.indexOf(' ')) : 'InvSR-1';

export const ceilingLine = ({ copyGBs, f32Gflops, f16Gflops, matrixGflops }: Ceilings): string =>
  [
    `ceilings: copy ${digits(copyGBs)} GB/s`,
    `f32 ${digits(f32Gflops)} GFLOP/s`,
    ...(f16Gflops === undefined ? [] : [`f16 ${digits(f16Gflops)} GFLOP/s`]),
    ...(matrixGflops === undefined ? [] : [`matrices ${digits(matrixGflops)} GFLOP/s`]),
  ].join(', ');

const clockLine = ({ kind, quantumNanoseconds }: ClockFacts): string =>
  ({
    timestamps: 'clock: GPU timestamps of every dispatch',
    'timestamp-batches': `clock: GPU timestamps of batches, in steps of ${quantumNanoseconds / 1000} µs`,
    'wall-batches': `clock: the host's, over batches; an empty submit takes ${quantumNanoseconds / 1000} µs`,
  })[kind];

export function comparisonLines(comparison: Comparison): string[] {
  const { rows, counts, onlyBefore, onlyAfter, notes } = comparison;
  const moved = rows
    .filter(({ verdict }) => verdict === 'faster' || verdict === 'slower')
    .toSorted((a, b) => a.speedup - b.speedup);
  return [
    '',
    `compared with ${comparison.with.commit} of ${comparison.with.date}`,
    ...notes.map((line) => `  ${line}`),
    ...(moved.length > 0
      ? [
          textTable(
            [
              { title: 'verdict', align: 'left', cell: ({ verdict }) => verdict },
              { title: 'ms then', cell: ({ before }) => digits(before.median) },
              { title: 'ms now', cell: ({ after }) => digits(after.median) },
              { title: 'times faster', cell: ({ speedup }) => digits(speedup) },
              { title: 'what', align: 'left', cell: ({ id }) => id },
            ],
            moved,
          ),
        ]
      : []),
    `${counts.faster} faster, ${counts.slower} slower, ${counts.same} the same within noise` +
      (counts['too few samples'] > 0 ? `, ${counts['too few samples']} with too few samples` : '') +
      (onlyAfter > 0 ? `; ${onlyAfter} only now` : '') +
      (onlyBefore > 0 ? `; ${onlyBefore} only then` : ''),
  ];
}
