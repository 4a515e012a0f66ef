/**
 * Code for pages: bundled by esbuild with the short WGSL of minify-wgsl.mjs, minified by Vite's minifier,
 * whose names compress better. Without source maps: dist/index.js and its like are the readable build.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { build } from 'esbuild';
import { minifySync } from 'vite';
import { minifyWgslPlugin } from './minify-wgsl.mjs';

/** The worker's script lies beside the entries in dist/browser. */
const workerAddress = {
  name: 'worker-address',
  setup: ({ onLoad }) =>
    onLoad({ filter: /[/\\]worker-client\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace("'../worker-script.ts'", "'./worker-script.js'"),
      loader: 'ts',
    })),
};

const OPTIONS = {
  bundle: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2023',
  // Loaded where a prompt is tokenized, from `invsr-webgpu/prompt` only.
  external: ['@huggingface/tokenizers'],
  plugins: [minifyWgslPlugin, workerAddress],
  minifySyntax: true,
  chunkNames: 'chunks/[name]-[hash]',
  legalComments: 'none',
  logLevel: 'warning',
  write: false,
};

/** esbuild's options → what to write where. */
export async function buildPage(options) {
  const { outputFiles } = await build({ ...OPTIONS, ...options });
  return outputFiles.map(({ path, text }) => {
    const { code, errors } = minifySync(path, text, { module: true });
    if (errors.length > 0) throw new Error(`${path}: ${errors[0].message}`);
    return { path, code };
  });
}

export function writePage(files) {
  for (const { path, code } of files) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, code);
  }
}
