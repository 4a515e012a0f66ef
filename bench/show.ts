/** `npm run bench -- show FILE`: the tables of what --out has written. */
import { readFile } from 'node:fs/promises';
import { type EncodeRecord, encodeReport } from './encode.ts';
import { kernelLines } from './kernel-report.ts';
import { loadReport } from './load-report.ts';
import type { LoadRecord } from './load.ts';
import { describeMachine } from './machine.ts';
import { networkLines, type NetworkRecord } from './network-bench.ts';
import { BenchInputError, readRecords } from './read-record.ts';
import type { KernelRecord } from './record.ts';
import { type ModelRecord, modelReport } from './report.ts';

export interface TableFlags {
  readonly top: number;
  readonly markdown?: boolean;
}

type AnyRecord =
  | KernelRecord
  | NetworkRecord
  | ModelRecord
  | ({ readonly bench: 'load' } & LoadRecord)
  | ({ readonly bench: 'encode' } & EncodeRecord);

export async function show(file: string, { top, markdown = false }: TableFlags): Promise<void> {
  for (const record of readRecords(await readFile(file, 'utf8'), file)) {
    console.log(tableOf(record as unknown as AnyRecord, { top, isMarkdown: markdown }));
  }
}

export function tableOf(record: AnyRecord, options: { top: number; isMarkdown: boolean }): string {
  const { bench, machine } = record;
  const below = (lines: readonly string[]): string =>
    [describeMachine(machine), '', ...lines].join('\n');
  switch (bench) {
    case 'kernels':
      return below(kernelLines(record, options));
    case 'networks':
      return below(networkLines(record));
    case 'model':
      return modelReport(record, options);
    case 'load':
      return loadReport(record, options);
    case 'encode':
      return encodeReport(record);
    default:
      throw new BenchInputError(`there is no table of ${JSON.stringify(bench)}`);
  }
}
