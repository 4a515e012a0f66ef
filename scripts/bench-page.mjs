/**
 * The bench in a browser. `npm run bench:page [-- --port N]` builds it and serves it on localhost;
 * `npm run bench:page -- --out FOLDER` only writes it, for any static server.
 */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { commit } from './commit.mjs';
import { installIfNeeded } from './install.mjs';
import { helpIfAsked } from './help.mjs';

helpIfAsked();

/** Writes the page's files into `folder`; run from the repository's root. */
async function buildPage(folder) {
  const { build } = await import('esbuild');
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

async function main() {
  installIfNeeded();
  const { out, port } = parseArgs({
    options: { out: { type: 'string' }, port: { type: 'string', default: '8642' } },
  }).values;
  if (out) {
    await buildPage(out);
    console.log(`written to ${out}`);
    return;
  }
  const folder = '.cache/bench-page';
  await buildPage(folder);
  const { preview } = await import('vite');
  const server = await preview({
    configFile: false,
    build: { outDir: folder },
    preview: { host: '127.0.0.1', port: Number(port) },
  });
  console.log(`${server.resolvedUrls?.local[0]}  (Ctrl-C ends)`);
}

await main().catch((error) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
