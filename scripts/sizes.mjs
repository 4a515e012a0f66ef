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

/** `dist/browser`, and subpaths that are used whole → bytes at once, gzipped and by brotli, and of each later chunk. */
export async function measure(folder, subpaths = []) {
  const path = (name) => JSON.stringify(resolve(folder, `${name}.js`));
  const code = [
    `import { ${APP.join(', ')} } from ${path('index')};`,
    ...subpaths.map((name, i) => `import * as more${i} from ${path(name)};`),
    `globalThis.used = [${[...APP, ...subpaths.map((_, i) => `more${i}`)].join(', ')}];`,
  ].join('\n');
  const app = {
    name: 'app',
    resolveId: (id) => (id === 'virtual:app' ? id : undefined),
    load: (id) => (id === 'virtual:app' ? code : undefined),
  };
  const { output } = await build({
    configFile: false,
    logLevel: 'error',
    plugins: [app],
    build: {
      write: false,
      target: 'es2023',
      modulePreload: false,
      rolldownOptions: { input: 'virtual:app', external: ['@huggingface/tokenizers'] },
    },
  });
  const chunks = new Map(output.flatMap((file) => (file.code ? [[file.fileName, file]] : [])));
  const now = new Set();
  const visit = (name) => {
    if (now.has(name) || !chunks.has(name)) return;
    now.add(name);
    for (const next of chunks.get(name).imports) visit(next);
  };
  visit([...chunks.values()].find(({ isEntry }) => isEntry).fileName);
  const bytesOf = (name) => gzipped(chunks.get(name).code);
  return {
    core: [...now].reduce((sum, name) => sum + bytesOf(name), 0),
    brotli: [...now].reduce(
      (sum, name) => sum + brotliCompressSync(chunks.get(name).code).length,
      0,
    ),
    later: [...chunks.keys()]
      .filter((name) => !now.has(name))
      .map((name) => ({
        what: chunks.get(name).name.replace(/-[^-]+$/, ''),
        bytes: bytesOf(name),
      })),
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
