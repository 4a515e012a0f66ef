/**
 * Charts of a record as SVG files that stand alone, for documents: light and dark by the reader's
 * preference, with what was measured, where and when in the picture.
 *
 *   npm run bench -- charts RECORD --to docs/images
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { familiesOf, legend } from './charts/legend.ts';
import { tag, textTag } from './charts/markup.ts';
import { comparedOf, peerBars } from './charts/peers.ts';
import { roofline } from './charts/roofline.ts';
import { CHART_STYLE, FONT, themeVariables } from './charts/theme.ts';
import type { KernelRecord } from './record.ts';

const WIDTH = 900;
const HEADER = 66;
const PADDING = 16;

/** File name → text. `peers.svg` only where the record has a peer. */
export function chartFiles(record: KernelRecord): Map<string, string> {
  const compared = comparedOf(record.rows);
  const inner = WIDTH - 2 * PADDING;
  const cuts = record.rows.filter(({ cut }) => cut !== undefined).length;
  const files = new Map([
    [
      'roofline.svg',
      standAlone(record, {
        title: 'Kernels under the measured ceilings',
        // An area says how much of the path's time; that is no longer so where cases are cut.
        note: cuts > 0 ? 'pale: cases made smaller' : 'area: share of the time',
        chart: roofline(record, { width: inner, height: 500 }),
      }),
    ],
  ]);
  const [first] = compared;
  if (first?.row.peer) {
    const { name, dtype } = first.row.peer;
    files.set(
      'peers.svg',
      standAlone(record, {
        title: `Times faster than ${name}, ${dtype}`,
        note: 'line: p10 to p90 of both',
        chart: peerBars(compared, inner),
      }),
    );
  }
  return files;
}

interface Picture {
  readonly title: string;
  readonly note: string;
  readonly chart: string;
}

function standAlone({ machine, rows, precision }: KernelRecord, { title, note, chart }: Picture) {
  const height = HEADER + Number(/ height="([\d.]+)"/.exec(chart)?.[1] ?? 0) + PADDING;
  const facts = `${machine.adapter} · ${precision} · commit ${machine.commit} · ${machine.date.slice(0, 10)}`;
  const svg = tag(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${WIDTH} ${height}`,
      width: WIDTH,
      height,
    },
    textTag('title', {}, `${title}: ${facts}`),
    tag('style', {}, style()),
    tag('rect', { class: 'paper', width: WIDTH, height, rx: 8 }),
    textTag('text', { class: 'heading', x: PADDING, y: 28 }, title),
    textTag('text', { class: 'facts', x: PADDING, y: 46 }, facts),
    textTag('text', { class: 'facts', x: WIDTH - PADDING, y: 28, 'text-anchor': 'end' }, note),
    tag('g', { class: 'chart' }, legend(familiesOf(rows), { left: PADDING, y: HEADER - 2 })),
    // The inner picture at its place.
    chart.replace('<svg ', `<svg x="${PADDING}" y="${HEADER + 4}" `),
  );
  return `${svg}\n`;
}

const style = (): string =>
  `${themeVariables('svg')}${CHART_STYLE}
.paper{fill:var(--paper)}
.heading{font:600 17px ${FONT};fill:var(--ink)}
.facts{font:11.5px ${FONT};fill:var(--muted)}`.replaceAll('"', "'");

/** Writes the charts of the last record of kernels in `file` (JSON, one record per line) into `folder`. */
export async function writeCharts(file: string, folder: string): Promise<string[]> {
  const files = chartFiles(lastKernelRecord(await readFile(file, 'utf8'), file));
  await mkdir(folder, { recursive: true });
  for (const [name, text] of files) await writeFile(join(folder, name), text);
  return [...files.keys()].map((name) => join(folder, name));
}

export function lastKernelRecord(text: string, file: string): KernelRecord {
  const records = text
    .trim()
    .split('\n')
    .map((line): unknown => {
      try {
        return JSON.parse(line);
      } catch {
        return undefined;
      }
    })
    .filter((value) => isKernelRecord(value));
  const last = records.at(-1);
  if (!last) {
    throw new Error(`${file} has no record of kernels; make one with bench kernels --out ${file}`);
  }
  return last;
}

const isKernelRecord = (value: unknown): value is KernelRecord =>
  typeof value === 'object' &&
  value !== null &&
  'bench' in value &&
  value.bench === 'kernels' &&
  'ceilings' in value &&
  'rows' in value &&
  Array.isArray(value.rows);
