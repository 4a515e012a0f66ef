/**
 * `npm run build [-- options]`: dist/ (esbuild) and its types (tsc).
 *
 *   index, tune, rows, prompt, node, cli/main   ES modules for Node; packages of `dependencies` stay outside
 *   browser/                                    the same entries for pages, minified, WGSL too; and `worker`
 *   browser/worker-script.js                    what the worker runs, in one file: not every bundler splits workers
 *   invsr.min.js                                all of `index` in one file, for a plain <script type="module">
 *
 * wgsl-preprocessor and @noble/hashes (MIT) are bundled, with their notices. Prints what a page loads (scripts/sizes.mjs).
 *
 *   --fast       only what Node needs, without types
 *   --no-types   without types
 *   --out DIR    a new folder, in place of dist
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { helpIfAsked } from './help.mjs';

helpIfAsked();

const { dependencies, version } = JSON.parse(readFileSync('package.json', 'utf8'));
const { values: options } = parseArgs({
  options: {
    fast: { type: 'boolean' },
    'no-types': { type: 'boolean' },
    out: { type: 'string', default: 'dist' },
  },
});
const { out } = options;

/** What tuned designs belong to: they are measured anew where a kernel changes. */
function kernelHash() {
  const hash = createHash('sha256');
  const kernels = readdirSync('src/kernels').map((name) => `src/kernels/${name}`);
  for (const name of [...kernels, 'src/engine/subgroup-matrix.ts'].toSorted()) {
    hash.update(`${name}\n`).update(readFileSync(name));
  }
  return hash.digest('hex').slice(0, 16);
}

const everywhere = {
  bundle: true,
  format: 'esm',
  chunkNames: 'chunks/[name]-[hash]',
  sourcemap: true,
  define: {
    INVSR_VERSION: JSON.stringify(version),
    INVSR_KERNELS: JSON.stringify(kernelHash()),
  },
  legalComments: 'eof',
  logLevel: 'warning',
};

/** Entries for Node and for pages. */
const SHARED = {
  index: 'src/index.ts',
  tune: 'src/tune.ts',
  rows: 'src/rows.ts',
  prompt: 'src/prompt.ts',
};

// Only what is surely ours.
if (out === 'dist') rmSync(out, { recursive: true, force: true });
await build({
  ...everywhere,
  entryPoints: { ...SHARED, node: 'src/node.ts', 'cli/main': 'src/cli/main.ts' },
  outdir: out,
  splitting: true,
  platform: 'node',
  target: 'node20',
  external: [...Object.keys(dependencies), '@sparticuz/chromium'],
});
const notices = ['wgsl-preprocessor', '@noble/hashes'].map(
  (name) => `${name}\n\n${readFileSync(`node_modules/${name}/LICENSE`, 'utf8')}`,
);
writeFileSync(join(out, 'THIRD-PARTY-NOTICES.txt'), notices.join('\n\n'));

if (!options.fast) {
  await buildForPages();
  if (!options['no-types']) buildTypes();
}

async function buildForPages() {
  const { buildPage, writePage } = await import('./build-page.mjs');
  const { printSizes } = await import('./sizes.mjs');
  const { define } = everywhere;
  const { index, ...others } = SHARED;
  const entries = { ...others, browser: 'src/browser.ts', worker: 'src/worker.ts' };
  const folder = join(out, 'browser');
  writePage(await buildPage({ define, entries: { index, ...entries }, core: 'index', folder }));
  const whole = { 'browser/worker-script': 'src/worker-script.ts', 'invsr.min': index };
  const files = await buildPage({ define, entries: whole, folder: out });
  writePage(files);
  await printSizes(out, Object.keys(entries), files);
}

function buildTypes() {
  const types = join(out, 'types');
  const tsc = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--outDir', types];
  execFileSync(process.execPath, tsc, { stdio: 'inherit' });
  // tsc keeps `.ts` in declarations; a package has no such files.
  for (const name of readdirSync(types, { recursive: true })) {
    const path = join(types, String(name));
    if (!path.endsWith('.d.ts')) continue;
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace(/((?:from |import\()['"]\.[^'"]*)\.ts(['"])/g, '$1.js$2'));
  }
}
