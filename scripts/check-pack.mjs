/**
 * `npm run check:pack` builds, packs, and fails when the tarball holds anything unexpected or lacks anything needed, or a page
 * would load more at once than it did.
 * `-- --install` also installs it into an empty folder and upscales a picture with it (a minute; takes
 * the dependencies from npm's cache where it can). Software adapters come with a development
 * checkout only: there, a Vulkan driver of the system is used, or the checkout's SwiftShader.
 */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { measure } from './sizes.mjs';
import { helpIfAsked } from './help.mjs';

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

function npm(args, options = {}) {
  const cli = process.env.npm_execpath;
  const windows = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const [command, ...prefix] = cli ? [process.execPath, cli] : [windows];
  return execFileSync(command, [...prefix, ...args], { encoding: 'utf8', ...options });
}

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
  checkTypes(paths.filter((path) => path.endsWith('.d.ts')));
  console.log(`${filename}: ${paths.length} files, ${(size / 2 ** 20).toFixed(2)} MiB`);
  if (process.argv.includes('--install')) tryOut(join(folder, filename));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Every relative import of a declaration leads to a declaration in the package. */
function checkTypes(declarations) {
  for (const path of declarations) {
    for (const [, target] of readFileSync(path, 'utf8').matchAll(/from '(\.[^']+)'/g)) {
      const file = resolve(path, '..', target.replace(/\.js$/, '.d.ts'));
      if (!existsSync(file)) fail(`${path} imports ${target}, which is not there`);
    }
  }
}

/** As a user does: install, ask for the version, upscale. */
function tryOut(tarball) {
  const app = mkdtempSync(join(tmpdir(), 'invsr-app-'));
  try {
    writeFileSync(join(app, 'package.json'), '{ "private": true, "type": "module" }');
    copyFileSync('examples/images/still-life-lr.png', join(app, 'in.png'));
    const quiet = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'];
    npm(['install', ...quiet, tarball], { cwd: app, stdio: 'inherit' });
    const main = join(app, 'node_modules/invsr-webgpu/dist/cli/main.js');
    const invsr = (...args) =>
      execFileSync(process.execPath, [main, ...args], { cwd: app, encoding: 'utf8' });
    console.log(`invsr ${invsr('--version').trim()}`);
    console.log(invsr('upscale', 'in.png', '-o', 'out.png').trim());
    if (!existsSync(join(app, 'out.png'))) fail('the installed package wrote no picture');
    const library =
      "const { Upscaler } = await import('invsr-webgpu'); if (!Upscaler) process.exit(3);";
    execFileSync(process.execPath, ['--input-type=module', '-e', library], { cwd: app });
  } finally {
    rmSync(app, { recursive: true, force: true });
  }
}
