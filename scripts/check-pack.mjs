/**
 * `npm run check:pack` builds, packs, and fails when the tarball holds anything unexpected or lacks anything needed, when a
 * page would load more at once than it did, or when the package does not work as npm installs it (try-package.mjs).
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { helpIfAsked } from './help.mjs';
import { npm } from './install.mjs';
import { measure } from './sizes.mjs';
import { tryPackage } from './try-package.mjs';

helpIfAsked();

const NEEDED = [
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
  'package.json',
  'dist/cli/main.js',
  'dist/THIRD-PARTY-NOTICES.txt',
  'weights/invsr-nano/unet/config.json',
  'weights/invsr-nano/unet/diffusion_pytorch_model.safetensors',
  'weights/invsr-nano/vae/diffusion_pytorch_model.safetensors',
  'weights/invsr-nano/noise_predictor/diffusion_pytorch_model.safetensors',
  'weights/invsr-nano/scheduler/scheduler_config.json',
  'weights/invsr-nano/prompt_embeds.safetensors',
];

const ALLOWED = [
  /^(README\.md|LICENSE|CHANGELOG\.md|package\.json)$/,
  /^dist\/((browser\/)?(index|tune|rows|prompt|chunks\/[\w-]+)|browser\/(browser|worker|worker-script)|node|cli\/main|invsr\.min)\.js(\.map)?$/,
  /^dist\/types\/[\w/-]+\.d\.ts$/,
  /^dist\/THIRD-PARTY-NOTICES\.txt$/,
  /^weights\/invsr-nano\/[\w/.-]+\.(json|safetensors|md)$/,
];

const MAX_BYTES = 5 * 2 ** 20;

/** Of what a page loads at once, gzipped: the goal. */
const MAX_CORE_BYTES = 60_000;

/** What `exports` of package.json points to, patterns apart. */
const EXPORTED = Object.values(JSON.parse(readFileSync('package.json', 'utf8')).exports)
  .flatMap((target) => (typeof target === 'string' ? [target] : Object.values(target)))
  .filter((path) => !path.includes('*'))
  .map((path) => path.replace('./', ''));

function fail(message) {
  console.error(message);
  process.exitCode = 1;
}

const folder = mkdtempSync(join(tmpdir(), 'invsr-pack-'));
try {
  execFileSync(process.execPath, ['scripts/build.mjs'], { stdio: 'inherit' });
  const output = npm(['pack', '--json', '--ignore-scripts', '--pack-destination', folder]);
  const [{ filename, files, size }] = JSON.parse(output);
  const paths = files.map(({ path }) => path);
  for (const path of [...NEEDED, ...EXPORTED])
    if (!paths.includes(path)) fail(`the package lacks ${path}`);
  for (const path of paths) {
    if (!ALLOWED.some((pattern) => pattern.test(path))) fail(`the package should not have ${path}`);
  }
  if (size > MAX_BYTES) fail(`the package has ${size} bytes, expected at most ${MAX_BYTES}`);
  const { core } = await measure('dist/browser');
  if (core > MAX_CORE_BYTES) {
    fail(
      `a page loads ${core} bytes at once, expected at most ${MAX_CORE_BYTES}; docs/decisions/0010`,
    );
  }
  console.log(`${filename}: ${paths.length} files, ${(size / 2 ** 20).toFixed(2)} MiB`);
  await tryPackage(join(folder, filename));
} catch (error) {
  fail(error instanceof Error ? error.message : error);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
