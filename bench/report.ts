/** Results as tables: for the terminal, and as bench/README.md shows them. */
import { NETWORKS, type Spread, type TimingGroup } from '../src/invsr/measure.ts';
import type { PathResult } from '../src/invsr/measure-path.ts';
import type { Timed } from './compare.ts';
import { describeMachine } from './machine.ts';
import type { Machine } from './record.ts';
import type { PeerResult } from './peer-bench.ts';
import { type Column, digits, markdownTable, textTable } from './table.ts';

/** The networks of a model on another engine. */
export interface PeerRecord {
  readonly name: string;
  /** Vulkan drivers in its process, where the system tells. */
  readonly drivers: readonly string[];
  readonly networks: readonly PeerResult[];
}

export interface ModelRecord {
  readonly bench: 'model';
  readonly machine: Machine;
  readonly model: string;
  readonly tile: number;
  readonly tunedClasses?: number;
  /** What --compare looks at: the wall times of `paths`. */
  readonly rows: readonly Timed[];
  readonly paths: readonly PathResult[];
  readonly peer?: PeerRecord | undefined;
}

export interface ReportOptions {
  readonly top: number;
  readonly isMarkdown: boolean;
}

export function modelReport(
  { machine, paths, peer }: ModelRecord,
  { top, isMarkdown }: ReportOptions,
): string {
  const table = isMarkdown ? markdownTable : textTable;
  const hasTimes = paths.some(({ gpuMilliseconds }) => gpuMilliseconds !== undefined);
  const parts = [
    describeMachine(machine),
    table(pathColumns(paths), hasTimes ? [...NETWORKS, 'other', 'sum', 'wall'] : ['wall']),
    ...(hasTimes ? [] : ['no GPU times: the device has no timestamps, or they stand still']),
  ];
  if (peer) {
    parts.push(
      `beside ${peer.name}${peer.drivers.length > 0 ? ` (drivers in its process: ${peer.drivers.join(', ')})` : ''}`,
      table(peerColumns(paths, peer.networks), [
        ...peer.networks,
        'sum',
        ...(peer.networks.length === NETWORKS.length ? (['end to end'] as const) : []),
      ]),
    );
  }
  for (const { precision, kinds, gpuMilliseconds } of top > 0 && hasTimes ? paths : []) {
    parts.push(
      `${precision}: kinds of dispatches by GPU time`,
      table(kindColumns(gpuMilliseconds), kinds.slice(0, top)),
    );
  }
  return `${parts.join('\n\n')}\n`;
}

type PathRow = (typeof NETWORKS)[number] | 'other' | 'sum' | 'wall';

function pathColumns(paths: readonly PathResult[]): Column<PathRow>[] {
  const label = (row: PathRow): string =>
    row === 'sum' ? 'sum of GPU times' : row === 'wall' ? 'wall, upload to readback' : row;
  return [
    { title: 'ms', align: 'left', cell: label },
    ...paths.flatMap((path): Column<PathRow>[] => {
      const of = (row: PathRow): Pick<TimingGroup, 'milliseconds' | 'flops'> => {
        if (row === 'wall') return { milliseconds: path.wall.median, flops: path.flops };
        if (row === 'sum') return { milliseconds: path.gpuMilliseconds ?? NaN, flops: path.flops };
        return path.networks.find(({ key }) => key === row) ?? { milliseconds: NaN, flops: 0 };
      };
      return [
        {
          title: path.precision,
          cell: (row) => (row === 'wall' ? spread(path.wall) : digits(of(row).milliseconds)),
        },
        {
          title: 'GFLOP/s',
          cell: (row) => digits(of(row).flops / of(row).milliseconds / 1e6),
        },
      ];
    }),
  ];
}

type PeerRow = PeerResult | 'sum' | 'end to end';

/** `end to end`: the peer's four networks against our whole path with all that lies between them. */
function peerColumns(
  paths: readonly PathResult[],
  networks: readonly PeerResult[],
): Column<PeerRow>[] {
  type Quantile = 'median' | 'p10';
  const peerOf = (row: PeerRow, quantile: Quantile): number =>
    typeof row === 'object'
      ? row.peer[quantile]
      : networks.reduce((sum, { peer }) => sum + peer[quantile], 0);
  return [
    {
      title: 'ms',
      align: 'left',
      cell: (row) =>
        row === 'sum'
          ? 'sum of the networks'
          : row === 'end to end'
            ? 'its networks, our whole path'
            : row.network,
    },
    {
      title: 'onnxruntime f32',
      cell: (row) => (typeof row === 'object' ? spread(row.peer) : digits(peerOf(row, 'median'))),
    },
    ...(networks.some(({ half }) => half) ? halfColumns(networks) : []),
    ...paths.flatMap(({ precision, wall }): Column<PeerRow>[] => {
      const own = (row: PeerResult): PeerResult['ours'][number] | undefined =>
        row.ours.find((side) => side.precision === precision);
      const oursOf = (row: PeerRow, quantile: Quantile): number => {
        if (row === 'end to end') return wall[quantile];
        const rows = row === 'sum' ? networks : [row];
        return rows.reduce((sum, each) => sum + (own(each)?.wall[quantile] ?? Number.NaN), 0);
      };
      const ratio = (row: PeerRow, quantile: Quantile): string =>
        digits(peerOf(row, quantile) / oursOf(row, quantile));
      return [
        {
          title: `ours ${precision}`,
          cell: (row) => {
            const side = typeof row === 'object' ? own(row) : undefined;
            return side ? spread(side.wall) : digits(oursOf(row, 'median'));
          },
        },
        {
          title: 'times faster (by p10)',
          cell: (row) => `${ratio(row, 'median')} (${ratio(row, 'p10')})`,
        },
        {
          title: 'difference',
          cell: (row) =>
            typeof row === 'object' ? (own(row)?.relativeError.toExponential(1) ?? '') : '',
        },
      ];
    }),
    {
      title: 'onnxruntime ran',
      align: 'left',
      cell: (row) => (typeof row === 'object' ? row.note : ''),
    },
  ];
}

/** onnxruntime in f16, and ours in f16 against that. */
function halfColumns(networks: readonly PeerResult[]): Column<PeerRow>[] {
  const total = (row: PeerRow, of: (network: PeerResult) => Spread | undefined): number =>
    (typeof row === 'object' ? [row] : networks).reduce(
      (sum, network) => sum + (of(network)?.median ?? Number.NaN),
      0,
    );
  const own = ({ ours }: PeerResult): Spread | undefined =>
    ours.find(({ precision }) => precision === 'f16')?.wall;
  const peer = ({ half }: PeerResult): Spread | undefined => half?.wall;
  return [
    {
      title: 'onnxruntime f16',
      cell: (row) => {
        if (typeof row !== 'object') return digits(total(row, peer));
        const { half } = row;
        return half?.wall ? spread(half.wall) : (half?.note ?? '');
      },
    },
    {
      title: 'ours f16 times faster than that',
      // Our whole path was timed at another moment.
      cell: (row) => (row === 'end to end' ? '' : digits(total(row, peer) / total(row, own))),
    },
    {
      title: 'difference',
      cell: (row) =>
        typeof row === 'object' ? (row.half?.relativeError?.toExponential(1) ?? '') : '',
    },
  ];
}

const kindColumns = (total = NaN): Column<TimingGroup>[] => [
  { title: 'dispatch', align: 'left', cell: ({ key }) => key },
  { title: 'count', cell: ({ count }) => String(count) },
  { title: 'ms', cell: ({ milliseconds }) => digits(milliseconds) },
  { title: 'share', cell: ({ milliseconds }) => percent(milliseconds / total) },
  { title: 'GFLOP/s', cell: ({ flops, milliseconds }) => digits(flops / milliseconds / 1e6) },
  { title: 'GB/s', cell: ({ bytes, milliseconds }) => digits(bytes / milliseconds / 1e6) },
];

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** Median, and in brackets the range from the 10th to the 90th percentile. */
const spread = ({ p10, median, p90 }: Spread): string =>
  `${digits(median)} (${digits(p10)}–${digits(p90)})`;
