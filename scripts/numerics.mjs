/**
 * `npm run numerics`: runs the golden tests on every adapter at hand and rewrites the table of
 * docs/numerics.md between its markers.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { helpIfAsked } from './help.mjs';

helpIfAsked();

const log = join(mkdtempSync(join(tmpdir(), 'invsr-numerics-')), 'rows.jsonl');
writeFileSync(log, '');
const { status } = spawnSync(
  process.execPath,
  ['node_modules/vitest/vitest.mjs', 'run', '--project', 'golden'],
  { stdio: 'inherit', env: { ...process.env, INVSR_NUMERICS: log } },
);
if (status !== 0) process.exit(status ?? 1);

const rows = readFileSync(log, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));
const runs = [...new Set(rows.map((row) => `${row.adapter} ${row.precision}`))];
const what = [...new Set(rows.map((row) => row.what))];
const cell = (row) => {
  if (!row) return '';
  const error = row.error === undefined ? '' : row.error.toExponential(1);
  // Identical images have no finite PSNR, which JSON writes as null.
  const psnr =
    row.psnr === undefined ? '' : row.psnr === null ? 'identical' : `${row.psnr.toFixed(1)} dB`;
  return [error, psnr].filter(Boolean).join(', ');
};
const table = [
  `| | ${runs.join(' | ')} |`,
  `|---|${runs.map(() => '---|').join('')}`,
  ...what.map(
    (name) =>
      `| ${name} | ${runs
        .map((run) =>
          cell(rows.find((row) => row.what === name && `${row.adapter} ${row.precision}` === run)),
        )
        .join(' | ')} |`,
  ),
].join('\n');
const file = 'docs/numerics.md';
const [before, rest] = readFileSync(file, 'utf8').split('<!-- table -->');
const after = rest.split('<!-- end of table -->')[1];
writeFileSync(file, `${before}<!-- table -->\n${table}\n<!-- end of table -->${after}`);
console.log(`${file}: ${what.length} rows`);
