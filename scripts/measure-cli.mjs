/**
 * `npm run measure -- [--runs 3] [-- upscale options]`: what one picture costs from the shell, after
 * `npm run build`. Prints one JSON line for examples/images/still-life-lr.png (128x128 → 512x512, one step): wall
 * milliseconds of the whole process with Mesa's shader cache empty (`coldMs`) and filled (`warmMs`,
 * the median), and the process's peak resident memory. On a GPU the driver has a cache of its own,
 * and cold is as warm as that is.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { helpIfAsked } from './help.mjs';

helpIfAsked();

const { values, positionals } = parseArgs({
  options: { runs: { type: 'string', default: '3' } },
  allowPositionals: true,
});

const PICTURE = 'examples/images/still-life-lr.png';

/** Tells the peak on a pipe of its own, whatever ends the process. */
const REPORT_PEAK = `data:text/javascript,import { writeSync } from 'node:fs';
process.on('exit', () => writeSync(3, String(process.resourceUsage().maxRSS * 1024)));`;

const folder = mkdtempSync(join(tmpdir(), 'invsr-measure-'));
try {
  const cold = measure();
  const warm = Array.from({ length: Math.max(1, Number(values.runs)) }, measure);
  const median = warm.toSorted((a, b) => a.ms - b.ms)[Math.floor(warm.length / 2)];
  const { adapter, precision, milliseconds, peakGpuBytes } = median.result;
  console.log(
    JSON.stringify({
      picture: PICTURE,
      options: positionals,
      adapter,
      precision,
      coldMs: cold.ms,
      warmMs: median.ms,
      milliseconds,
      peakResidentBytes: Math.max(cold.peak, ...warm.map(({ peak }) => peak)),
      peakGpuBytes,
      cores: cpus().length,
      load: Number(loadavg()[0].toFixed(1)),
      node: process.version,
    }),
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** One run of the command line; its shader cache is in `folder`, so the first one is cold. */
function measure() {
  const out = join(folder, 'out.png');
  const started = performance.now();
  const { status, output } = spawnSync(
    process.execPath,
    [
      '--import',
      REPORT_PEAK,
      'dist/cli/main.js',
      'upscale',
      PICTURE,
      '-o',
      out,
      '--json',
      ...positionals,
    ],
    {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
      env: { ...process.env, MESA_SHADER_CACHE_DIR: join(folder, 'shaders') },
    },
  );
  const ms = Math.round(performance.now() - started);
  if (status !== 0) throw new Error(`invsr ended with ${status}`);
  const events = output[1]
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  return { ms, peak: Number(output[3]), result: events.find(({ event }) => event === 'result') };
}
