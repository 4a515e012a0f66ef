/**
 * `npm run test:full [-- options]`: every network of full size, and the whole path, against the
 * official code's numbers with synthetic weights; writes the table of docs/numerics.md.
 *
 *   --model DIR        the folder of `invsr weights synth`; written where it is missing
 *   --part NAMES       some of text_encoder, noise_predictor, vae_encode, unet, unet_t99, vae_decode, e2e, e2e_low_memory
 *   --precision KINDS  f16, f32
 *   --adapter NAME     part of an adapter's name (default: llvmpipe)
 *   --again            parts that passed before, too
 *
 * Every part runs in a process of its own, at most minutes each. Rows are kept in .cache/full: an
 * interrupted run goes on where it stopped.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { helpIfAsked } from './help.mjs';

helpIfAsked();

const PARTS = [
  'text_encoder',
  'noise_predictor',
  'vae_encode',
  'unet',
  'unet_t99',
  'vae_decode',
  'e2e',
  'e2e_low_memory',
];
const PRECISIONS = ['f16', 'f32'];
/** More processor time than this share of what the machine has: nothing else was at work. */
const QUIET = 0.85;

const { values: options } = parseArgs({
  options: {
    model: { type: 'string', default: join(tmpdir(), 'invsr-sd-turbo-synth') },
    part: { type: 'string', default: PARTS.join() },
    precision: { type: 'string', default: PRECISIONS.join() },
    adapter: { type: 'string', default: 'llvmpipe' },
    again: { type: 'boolean', default: false },
  },
});
mkdirSync('.cache/full', { recursive: true });
const rowsFile = '.cache/full/rows.jsonl';
const passedFile = '.cache/full/passed.json';
const readRows = () =>
  existsSync(rowsFile)
    ? readFileSync(rowsFile, 'utf8')
        .trim()
        .split('\n')
        .filter(Boolean)
        .map((s) => JSON.parse(s))
    : [];
const passed = new Set(existsSync(passedFile) ? JSON.parse(readFileSync(passedFile, 'utf8')) : []);

if (!existsSync(join(options.model, 'unet/diffusion_pytorch_model.fp16.safetensors'))) {
  const isWritten =
    run(['scripts/build.mjs', '--fast']) &&
    run(['dist/cli/main.js', 'weights', 'synth', options.model, '--force']);
  if (!isWritten) process.exit(1);
}

const failed = [];
for (const part of options.part.split(',')) {
  for (const precision of options.precision.split(',')) {
    const id = `${options.adapter} ${part} ${precision}`;
    if (passed.has(id) && !options.again) continue;
    console.log(`${part} ${precision} …`);
    const isFine = run(
      [
        'node_modules/vitest/vitest.mjs',
        'run',
        '--config=vitest.full.config.ts',
        `--testNamePattern=^full size ${precision} ${part}$`,
      ],
      {
        INVSR_FULL_MODEL: options.model,
        INVSR_FULL_ADAPTER: options.adapter,
        INVSR_FULL_ROWS: rowsFile,
      },
    );
    if (isFine) passed.add(id);
    else failed.push(id);
    if (!isFine) passed.delete(id);
    writeFileSync(passedFile, JSON.stringify([...passed]));
  }
}
writeTable();
if (failed.length > 0) {
  console.error(`failed: ${failed.join(', ')}`);
  process.exit(1);
}

function run(args, env = {}) {
  const { status } = spawnSync(process.execPath, args, {
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  return status === 0;
}

/** The last row of each part and precision. */
function writeTable() {
  const rows = readRows();
  const lines = PARTS.flatMap((part) =>
    PRECISIONS.flatMap((precision) => {
      const row = rows.findLast((r) => r.part === part && r.precision === precision);
      return row ? [line(row)] : [];
    }),
  );
  const table = [
    '| part | precision | max abs | rms/std | independent | worst block or stage | wall s | CPU s | GPU bytes |',
    '|---|---|---|---|---|---|---|---|---|',
    ...lines,
  ].join('\n');
  console.log(table);
  const file = 'docs/numerics.md';
  const [before, rest] = readFileSync(file, 'utf8').split('<!-- full -->');
  const after = rest.split('<!-- end of full -->')[1];
  writeFileSync(file, `${before}<!-- full -->\n${table}\n<!-- end of full -->${after}`);
}

function line(row) {
  const e = (value) => value.toExponential(1);
  // 8-bit steps of the image
  const maxAbs = row.psnr === undefined ? e(row.maxAbs) : `${row.maxAbs}/255`;
  const psnr = row.psnr === undefined ? '' : `, ${row.psnr.toFixed(1)} dB`;
  const worst = row.worstBlock ? `${row.worstBlock[0]} ${e(row.worstBlock[1])}` : '';
  const isQuiet = row.cpuSeconds > QUIET * row.seconds * availableParallelism();
  const wall = `${row.seconds.toFixed(0)}${isQuiet ? '' : ' (busy)'}`;
  const cells = [
    row.part,
    row.precision,
    maxAbs,
    `${e(row.error)}${psnr}`,
    e(row.reference),
    worst,
    wall,
    row.cpuSeconds.toFixed(0),
    `${(row.gpuBytes / 1e6).toFixed(0)} MB`,
  ];
  return `| ${cells.join(' | ')} |`;
}
