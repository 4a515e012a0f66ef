/**
 * Code for pages, with the short WGSL of minify-wgsl.mjs. Bundled by rolldown, which is what Vite bundles
 * with: its minifier's names compress better than esbuild's, and it can put all that `index` loads at once into one
 * chunk. Left to itself a bundler makes one of every few modules that the entries and the chunks of later share, and
 * so does the application's; many small ones compress worse. In that chunk modules that are alike lie together, folder
 * by folder, for gzip looks back 32 KiB and no further.
 *
 * Without source maps: dist/index.js and its like are the readable build.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { rolldown } from 'rolldown';
import { minifyWgslPlugin } from './minify-wgsl.mjs';

/** The worker's script lies beside the entries in dist/browser. */
const workerAddress = {
  name: 'worker-address',
  load: {
    filter: { id: /[/\\]worker-client\.ts$/ },
    handler: (id) =>
      readFileSync(id, 'utf8').replace("'../worker-script.ts'", "'./worker-script.js'"),
  },
};

/**
 * `entries` by name → what to write where. `core`: an entry; what it loads at once is in one chunk. Without
 * it every entry is one file, with all in it that it loads later.
 */
export async function buildPage({ entries, core, define, folder }) {
  if (!core) {
    const files = Object.entries(entries).map(([name, path]) =>
      generate({ input: { [name]: path }, define, folder }, { codeSplitting: false }),
    );
    return (await Promise.all(files)).flat();
  }
  const atOnce = await modulesAtOnce(resolve(entries[core]), define);
  const ordered = {
    name: 'ordered-core',
    resolveId: (id) => (id === ORDERED ? id : undefined),
    load: (id) => (id === ORDERED ? orderedEntry(resolve(entries[core]), atOnce) : undefined),
  };
  const groups = [{ name: 'core', test: (id) => atOnce.has(id) }];
  return generate(
    { input: { ...entries, [core]: ORDERED }, define, folder, plugins: [ordered] },
    { codeSplitting: { groups } },
  );
}

const ORDERED = 'virtual:ordered-core';

/** By what compressed best. */
const FOLDERS = ['weights', 'engine', 'kernels', 'graph', 'invsr', 'library'];

/** Order of the modules by their paths; what is in no folder of ours comes first. */
export function byFolder(a, b) {
  const [i, j] = [a, b].map((id) => FOLDERS.indexOf(relative('src', id).split(sep)[0]));
  return i - j || (a < b ? -1 : 1);
}

/** An entry that is `entry` and names all that it loads before: bundlers keep the order of the first imports. */
function orderedEntry(entry, atOnce) {
  const others = [...atOnce].filter((id) => id !== entry).toSorted(byFolder);
  const imports = others.map((id) => `import ${JSON.stringify(id)};`);
  return [...imports, `export * from ${JSON.stringify(entry)};`].join('\n');
}

/** The modules that an entry loads before anything runs. */
async function modulesAtOnce(entry, define) {
  const found = new Set();
  const look = {
    name: 'at-once',
    buildEnd() {
      const visit = (id) => {
        if (found.has(id)) return;
        found.add(id);
        this.getModuleInfo(id)?.importedIds.forEach(visit);
      };
      visit(entry);
    },
  };
  await generate({ input: { entry }, define, folder: '', plugins: [look] }, {});
  return found;
}

async function generate({ input, define, folder, plugins = [] }, output) {
  const bundle = await rolldown({
    input,
    platform: 'browser',
    checks: { pluginTimings: false },
    // Loaded where a prompt is tokenized, from `invsr-webgpu/prompt` only.
    external: ['@huggingface/tokenizers'],
    plugins: [minifyWgslPlugin, workerAddress, ...plugins],
    transform: { target: 'es2023', define },
  });
  const { output: files } = await bundle.generate({
    ...output,
    format: 'esm',
    minify: true,
    comments: { legal: false },
    hashCharacters: 'hex',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
  });
  await bundle.close();
  return files.map(({ fileName, code }) => ({ path: join(folder, fileName), code }));
}

export function writePage(files) {
  for (const { path, code } of files) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, code);
  }
}
