/**
 * Builds dist/: the command line and the two library entries as ES modules (esbuild), and types.
 * wgsl-preprocessor (MIT) is bundled, with its notice; the packages of `dependencies` are not.
 * `node scripts/build.mjs --fast` leaves the types out.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const { dependencies, version } = JSON.parse(readFileSync('package.json', 'utf8'));
const fast = process.argv.includes('--fast');

/** What tuned designs belong to: they are measured anew where a kernel changes. */
function kernelHash() {
  const hash = createHash('sha256');
  for (const name of readdirSync('src/kernels').toSorted()) {
    hash.update(`${name}\n`).update(readFileSync(join('src/kernels', name)));
  }
  return hash.digest('hex').slice(0, 16);
}

rmSync('dist', { recursive: true, force: true });
await build({
  entryPoints: { index: 'src/index.ts', node: 'src/node.ts', 'cli/main': 'src/cli/main.ts' },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  external: [...Object.keys(dependencies), '@sparticuz/chromium'],
  chunkNames: 'chunks/[name]-[hash]',
  sourcemap: true,
  define: {
    INVSR_VERSION: JSON.stringify(version),
    INVSR_KERNELS: JSON.stringify(kernelHash()),
  },
  legalComments: 'eof',
  logLevel: 'warning',
});
const notice = readFileSync('node_modules/wgsl-preprocessor/LICENSE', 'utf8');
writeFileSync('dist/THIRD-PARTY-NOTICES.txt', `wgsl-preprocessor\n\n${notice}`);

if (!fast) {
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
    stdio: 'inherit',
  });
  // tsc keeps `.ts` in declarations; a package has no such files.
  for (const name of readdirSync('dist/types', { recursive: true })) {
    const path = join('dist/types', String(name));
    if (!path.endsWith('.d.ts')) continue;
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace(/((?:from |import\()['"]\.[^'"]*)\.ts(['"])/g, '$1.js$2'));
  }
  const { outputFiles } = await build({
    entryPoints: ['src/index.ts'],
    bundle: true,
    minify: true,
    format: 'esm',
    // Loaded on demand, where a prompt is tokenized.
    external: ['@huggingface/tokenizers'],
    write: false,
  });
  const kilobytes = gzipSync(outputFiles[0].contents).length / 1024;
  console.log(`library for the browser: ${kilobytes.toFixed(1)} kB minified and gzipped`);
}
