/**
 * The bench in a browser. `npm run bench:page` builds it and serves it on localhost;
 * `npm run bench:page -- --out FOLDER` only writes it, for any static server.
 */
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { commit } from './commit.mjs';
import { installIfNeeded } from './install.mjs';

const FILES = ['index.html', 'page.js', 'page.css'];
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css' };

/** Writes the page's files into `folder`; run from the repository's root. */
export async function buildPage(folder) {
  await build({
    entryPoints: { page: 'bench/page/main.ts' },
    outdir: folder,
    bundle: true,
    // Names stay: functions of the report are embedded in it as their own text.
    minifySyntax: true,
    minifyWhitespace: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2023',
    define: { INVSR_COMMIT: JSON.stringify(commit()) },
    logLevel: 'warning',
  });
  mkdirSync(folder, { recursive: true });
  for (const name of ['index.html', 'page.css']) {
    copyFileSync(join('bench/page', name), join(folder, name));
  }
}

/** Serves these files and nothing else, to this machine only. */
export function servePage(folder, port = 0) {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const name = pathname === '/' ? 'index.html' : pathname.slice(1);
    if (!FILES.includes(name)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': TYPES[extname(name)], 'cache-control': 'no-store' });
    response.end(readFileSync(join(folder, name)));
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

async function main() {
  installIfNeeded();
  const [flag, value] = process.argv.slice(2);
  if (flag === '--out' && value) {
    await buildPage(value);
    console.log(`written to ${value}`);
    return;
  }
  if (flag !== undefined && flag !== '--port')
    throw new Error(`unknown option ${flag}; --out FOLDER or --port N`);
  const folder = '.cache/bench-page';
  await buildPage(folder);
  const server = await servePage(folder, Number(value ?? 8642));
  console.log(`http://localhost:${server.address().port}/  (Ctrl-C ends)`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await main().catch((error) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
}
