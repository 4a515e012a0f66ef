/**
 * What Vite makes of the package for a page, minified and gzipped: the core, which is loaded at once, the
 * chunks that come when they are needed, and what each of the other entries adds.
 */
import { join, resolve } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { build } from 'vite';

/** What an application uses to run InvSR. */
const APP = ['InvSR', 'inputSize', 'readImage', 'requiredDevice'];

const gzipped = (code) => gzipSync(code, { level: 9 }).length;
const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;

/** A plugin: an application that uses `index`, and others whole, as the entry `virtual:app`. */
export function appOf(index, others = []) {
  const code = [
    `import { ${APP.join(', ')} } from ${JSON.stringify(index)};`,
    ...others.map((path, i) => `import * as more${i} from ${JSON.stringify(path)};`),
    `globalThis.used = [${[...APP, ...others.map((_, i) => `more${i}`)].join(', ')}];`,
  ].join('\n');
  return {
    name: 'app',
    resolveId: (id) => (id === 'virtual:app' ? id : undefined),
    load: (id) => (id === 'virtual:app' ? code : undefined),
  };
}

/** Of a build's output, the entry and what it imports. */
export function chunksAtOnce(output) {
  const chunks = new Map(output.flatMap((file) => (file.code ? [[file.fileName, file]] : [])));
  const found = new Set();
  const visit = (chunk) => {
    if (!chunk || found.has(chunk)) return;
    found.add(chunk);
    for (const next of chunk.imports) visit(chunks.get(next));
  };
  visit([...chunks.values()].find(({ isEntry }) => isEntry));
  return [...found];
}

/** `dist/browser`, and subpaths that are used whole → bytes at once, gzipped and by brotli, and of each later chunk. */
export async function measure(folder, subpaths = []) {
  const path = (name) => resolve(folder, `${name}.js`);
  const { output } = await build({
    configFile: false,
    logLevel: 'error',
    plugins: [appOf(path('index'), subpaths.map(path))],
    build: {
      write: false,
      target: 'es2023',
      modulePreload: false,
      rolldownOptions: { input: 'virtual:app', external: ['@huggingface/tokenizers'] },
    },
  });
  const now = chunksAtOnce(output);
  const sum = (bytesOf) => now.reduce((bytes, { code }) => bytes + bytesOf(code), 0);
  return {
    core: sum(gzipped),
    brotli: sum((code) => brotliCompressSync(code).length),
    later: output
      .filter((file) => file.code && !now.includes(file))
      .map(({ name, code }) => ({ what: name.replace(/-[^-]+$/, ''), bytes: gzipped(code) })),
  };
}

/** `subpaths` of the package for pages; `files`: those that are one file, as buildPage gives them. */
export async function printSizes(out, subpaths, files) {
  const folder = join(out, 'browser');
  const { core, brotli, later } = await measure(folder);
  console.log(
    `InvSR in a page by Vite, all that invsr-nano takes on a GPU: ${kilobytes(core)} gzipped (goal: 60 kB), ${kilobytes(brotli)} by brotli`,
  );
  for (const { what, bytes } of later) console.log(`  ${what}: ${kilobytes(bytes)} when needed`);
  for (const name of subpaths) {
    const { core: both } = await measure(folder, [name]);
    console.log(`  invsr-webgpu/${name}: ${kilobytes(both - core)} more`);
  }
  for (const { path, code } of files) {
    console.log(`  ${path.replace(/^.*[/\\]/, '')}: ${kilobytes(gzipped(code))} in one file`);
  }
}
