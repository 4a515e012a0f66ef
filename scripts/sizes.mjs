/**
 * What an application's bundler makes of the package for a page, minified and gzipped: the core, which is
 * loaded at once, the chunks that come when they are needed, and what each of the other entries adds.
 */
import { resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { buildPage } from './build-page.mjs';

/** What an application imports to run InvSR. */
const APP = "export { InvSR, inputSize, readImage, requiredDevice } from './src/index.ts';";

const gzipped = (code) => gzipSync(code, { level: 9 }).length;
const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;

/** Bytes of an application of this code, and of the chunks that it loads later, by their names. */
async function measure(code, options) {
  const { metafile, files } = await buildPage({
    ...options,
    stdin: { contents: code, resolveDir: '.', sourcefile: 'app.js' },
    splitting: true,
    outdir: 'app',
    chunkNames: '[name]-[hash]',
  });
  const sizes = new Map(files.map((file) => [file.path, gzipped(file.code)]));
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

/** `entries`: names of subpaths and their sources. `files`: as buildPage gives them. */
export async function printSizes(options, entries, files) {
  const { core, later } = await measure(APP, options);
  console.log(`InvSR in a page, minified and gzipped: ${kilobytes(core)} (goal: 60 kB)`);
  for (const { what, bytes } of later) console.log(`  ${what}: ${kilobytes(bytes)} when needed`);
  for (const [name, path] of Object.entries(entries)) {
    const { core: both } = await measure(`${APP} export * from './${path}';`, options);
    console.log(`  invsr-webgpu/${name}: ${kilobytes(both - core)} more`);
  }
  for (const { path, code } of files) {
    console.log(`  ${path.replace(/^.*[/\\]/, '')}: ${kilobytes(gzipped(code))} in one file`);
  }
}
