/**
 * The page that sharpens photos. `npm run demo:page [-- --port N]` builds it and serves it on localhost;
 * `npm run demo:page -- --out FOLDER` only writes it, for any static server. What else FOLDER holds stays, chunks
 * of builds before too: pages that are open may still ask for them.
 */
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { installIfNeeded } from './install.mjs';
import { helpIfAsked } from './help.mjs';

/** Of a first visit, the embedded model included. */
const MAX_BYTES = 5e6;

const SAMPLES = ['still-life-lr.png', 'garden-lr.png'];

/** Writes the page into an empty folder; run from the repository's root. */
async function buildPage(folder) {
  const { build } = await import('esbuild');
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
  mkdirSync(join(folder, 'samples'));
  const common = {
    outdir: folder,
    bundle: true,
    minify: true,
    platform: 'browser',
    target: 'es2023',
    logLevel: 'warning',
  };
  const { metafile } = await build({
    ...common,
    metafile: true,
    entryPoints: { page: 'demo/main.tsx', encoder: 'demo/picture/encoder-worker.ts' },
    format: 'esm',
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    define: { INVSR_VERSION: JSON.stringify(version) },
    legalComments: 'linked',
  });
  await build({ ...common, entryPoints: { page: 'demo/styles/page.css' } });
  writeFileSync(join(folder, 'index.html'), withPreloads(metafile, folder));
  for (const name of ['icon.svg', 'app.webmanifest']) {
    copyFileSync(join('demo', name), join(folder, name));
  }
  for (const name of SAMPLES) {
    copyFileSync(join('examples/images', name), join(folder, 'samples', name));
  }
  copyFileSync('demo/samples/still-life-nano.webp', join(folder, 'samples/still-life-nano.webp'));
  cpSync('weights/invsr-nano', join(folder, 'weights/invsr-nano'), {
    recursive: true,
    filter: (path) => !path.endsWith('.md'),
  });
  // Last: it lists and hashes all the others.
  const files = filesOf(folder);
  const hash = createHash('sha256');
  for (const name of files) hash.update(`${name}\n`).update(readFileSync(join(folder, name)));
  await build({
    ...common,
    entryPoints: { worker: 'demo/worker.ts' },
    format: 'iife',
    define: {
      INVSR_FILES: JSON.stringify(['./', ...files.filter((name) => name !== 'index.html')]),
      INVSR_BUILD: JSON.stringify(hash.digest('hex').slice(0, 12)),
    },
  });
}

/** index.html, telling at once what page.js will ask for: the first screen comes one round trip earlier. */
function withPreloads({ outputs }, folder) {
  const wanted = new Set();
  const follow = (path) => {
    for (const { path: next, kind } of outputs[path].imports) {
      if (kind !== 'import-statement' || wanted.has(next)) continue;
      wanted.add(next);
      follow(next);
    }
  };
  const page = Object.keys(outputs).find((path) => outputs[path].entryPoint === 'demo/main.tsx');
  follow(page);
  const links = [...wanted].map(
    (path) => `    <link rel="modulepreload" href="${addressIn(folder, path)}" />\n`,
  );
  return readFileSync('demo/index.html', 'utf8').replace(
    '    <script type="module"',
    (script) => `${links.join('')}${script}`,
  );
}

const addressIn = (folder, path) => relative(folder, path).replaceAll('\\', '/');

const filesOf = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => addressIn(folder, join(entry.parentPath, entry.name)))
    .toSorted();

/** What a first visit loads, until nano can run. Throws above the goal. */
function printWeight(folder) {
  const kinds = new Map();
  for (const name of filesOf(folder)) {
    const kind = name.startsWith('weights/')
      ? 'model nano'
      : dirname(name) === 'samples'
        ? 'samples'
        : 'page';
    const path = join(folder, name);
    // Servers compress text.
    const isText = /\.(?:js|css|html|json|svg|webmanifest)$/.test(name);
    const bytes = isText ? gzipSync(readFileSync(path)).length : statSync(path).size;
    kinds.set(kind, (kinds.get(kind) ?? 0) + bytes);
  }
  const total = [...kinds.values()].reduce((sum, bytes) => sum + bytes, 0);
  const mb = (bytes) => `${(bytes / 1e6).toFixed(2)} MB`;
  const parts = [...kinds].map(([kind, bytes]) => `${kind} ${mb(bytes)}`);
  console.log(`page weight, text gzipped: ${mb(total)} (${parts.join(', ')})`);
  if (total > MAX_BYTES) throw new Error(`the goal is at most ${mb(MAX_BYTES)}`);
}

/** Builds the page beside `folder`'s files: what it consists of is what a folder of its own has. */
async function writePage(folder) {
  const fresh = mkdtempSync(join(tmpdir(), 'invsr-page-build-'));
  try {
    await buildPage(fresh);
    printWeight(fresh);
    cpSync(fresh, folder, { recursive: true });
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

async function servePage(root, port) {
  const { preview } = await import('vite');
  const server = await preview({
    configFile: false,
    logLevel: 'error',
    appType: 'mpa',
    root,
    build: { outDir: '.' },
    preview: { host: '127.0.0.1', port, headers: { 'Cache-Control': 'no-store' } },
  });
  console.log(`${server.resolvedUrls?.local[0]}  (Ctrl-C ends)`);
}

async function main() {
  helpIfAsked();
  installIfNeeded();
  const { out, port } = parseArgs({
    options: { out: { type: 'string' }, port: { type: 'string', default: '8643' } },
  }).values;
  if (out) {
    await writePage(out);
    console.log(`written to ${out}`);
    return;
  }
  const folder = '.cache/demo-page';
  rmSync(folder, { recursive: true, force: true });
  await writePage(folder);
  await servePage(folder, Number(port));
}

await main().catch((error) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
