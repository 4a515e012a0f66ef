/**
 * What an application's bundler makes of the package for a page, minified and gzipped: the core, which is
 * loaded at once, the chunks that come when they are needed, and what each of the other entries adds.
 */
import { resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

/** What an application imports to run InvSR. */
const APP = ['InvSR', 'inputSize', 'readImage', 'requiredDevice'];

const gzipped = (contents) => gzipSync(contents, { level: 9 }).length;
const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;

/** Bytes of an application that imports this, and of its chunks by the first file that each holds. */
async function measure(code, options) {
  const { metafile, outputFiles } = await build({
    ...options,
    stdin: { contents: code, resolveDir: '.', sourcefile: 'app.js' },
    entryPoints: undefined,
    sourcemap: false,
    splitting: true,
    write: false,
    outdir: 'app',
    chunkNames: '[name]-[hash]',
  });
  const sizes = new Map(outputFiles.map(({ path, contents }) => [path, gzipped(contents)]));
  const bytesOf = (path) => sizes.get(resolve(path)) ?? 0;
  const now = new Set();
  const visit = (path) => {
    if (now.has(path)) return;
    now.add(path);
    for (const { path: next, kind, external } of metafile.outputs[path].imports) {
      if (kind === 'import-statement' && !external) visit(next);
    }
  };
  const outputs = Object.keys(metafile.outputs);
  visit(outputs.find((path) => metafile.outputs[path].entryPoint === 'app.js'));
  return {
    core: [...now].reduce((sum, path) => sum + bytesOf(path), 0),
    later: outputs
      .filter((path) => !now.has(path))
      .map((path) => ({ what: path.replace(/^.*\/|-\w{8}\.js$/g, ''), bytes: bytesOf(path) })),
  };
}

/** `options`: how pages are built. `files`: written already, by name. */
export async function printSizes(options, entries, files) {
  const app = `export { ${APP.join(', ')} } from './src/index.ts';`;
  const { core, later } = await measure(app, options);
  console.log(`InvSR in a page, minified and gzipped: ${kilobytes(core)} (goal: 60 kB)`);
  for (const { what, bytes } of later) console.log(`  ${what}: ${kilobytes(bytes)} when needed`);
  for (const [name, path] of Object.entries(entries)) {
    const { core: both } = await measure(`${app} export * from './${path}';`, options);
    console.log(`  invsr-webgpu/${name}: ${kilobytes(both - core)} more`);
  }
  for (const [name, contents] of Object.entries(files)) {
    console.log(`  ${name}: ${kilobytes(gzipped(contents))} in one file`);
  }
}
