/** A record of loads as tables. */
import { COPY, type LoadRow } from './load-rounds.ts';
import type { LoadRecord } from './load.ts';
import { describeMachine } from './machine.ts';
import { type Column, digits, markdownTable, textTable } from './table.ts';

export function loadReport(
  { machine, model, fileBytes, weightBytes, rows, turnedBy, first, second }: LoadRecord,
  { isMarkdown }: { readonly isMarkdown: boolean },
): string {
  const table = isMarkdown ? markdownTable : textTable;
  const least = rows.find(({ name }) => name === COPY)?.milliseconds;
  const columns: Column<LoadRow>[] = [
    { title: 'ms', align: 'left', cell: ({ name }) => name },
    { title: 'median', cell: ({ milliseconds }) => digits(milliseconds.median) },
    { title: 'p10', cell: ({ milliseconds }) => digits(milliseconds.p10) },
    { title: 'p90', cell: ({ milliseconds }) => digits(milliseconds.p90) },
    { title: 'CPU', cell: ({ cpuMilliseconds }) => digits(cpuMilliseconds.median) },
    { title: 'GB/s', cell: ({ milliseconds }) => digits(fileBytes / milliseconds.median / 1e6) },
    {
      title: 'speed of read + copy (by p10)',
      cell: ({ milliseconds: { median, p10 } }) =>
        least ? `${percent(least.median / median)} (${percent(least.p10 / p10)})` : '',
    },
  ];
  const starts = [
    { name: 'first', start: first },
    { name: 'second', start: second },
  ];
  const startColumns: Column<(typeof starts)[number]>[] = [
    { title: 'start', align: 'left', cell: ({ name }) => name },
    { title: 'weights, ms', cell: ({ start }) => digits(start.loadMs) },
    { title: 'pipelines, ms', cell: ({ start }) => digits(start.compileMs) },
    { title: 'ready, ms', cell: ({ start }) => digits(start.readyMs) },
    { title: 'host MB while loading', cell: ({ start }) => digits(start.hostBytes / 1e6) },
  ];
  return `${[
    describeMachine(machine),
    `${model}: ${digits(fileBytes / 1e9)} GB in the files, ${digits(weightBytes / 1e9)} GB on the device; by default turned by: ${turnedBy}`,
    table(columns, rows),
    table(startColumns, starts),
  ].join('\n\n')}\n`;
}

const percent = (value: number): string => `${Math.round(100 * value)} %`;
