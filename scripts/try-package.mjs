/**
 * The packed package as npm installs it, in an empty folder: `invsr` makes a picture, every subpath of `exports` leads to what
 * it should in Node, and TypeScript takes the lines that README.md and examples/README.md print, with its checks of
 * declarations on.
 *
 * Dependencies come by package-lock.json, so that npm finds them where `npm ci` has left them, with no network. Software
 * adapters are no part of the package: SwiftShader is the checkout's.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { npm, QUIET } from './install.mjs';

/** Subpath of `exports` → what it is there for. The others are no modules for Node. */
const NAMES = {
  '.': ['InvSR', 'requiredDevice', 'readImage'],
  './node': ['createDevice', 'nodeFolder'],
  './rows': ['upscaleRows', 'upscalePixels', 'TileNetworks'],
  './prompt': ['promptStates'],
  './tune': ['tune'],
  './browser': ['opfsStore', 'droppedFolder', 'fetchFolder'],
  './worker': ['InvSRWorker'],
};
const NO_MODULES = ['./worker-script', './invsr.min.js', './weights/*', './package.json'];

/** What the printed lines take for granted. */
const GIVEN = `
declare const texture: GPUTexture;
declare const file: File;
declare const signal: AbortSignal;
declare const onProgress: (progress: object) => void;
declare function createMyRenderer(device: GPUDevice): { texture: GPUTexture; show(texture: GPUTexture): void };
`;

/** A strict application whose TypeScript knows WebGPU. */
const TSCONFIG = {
  compilerOptions: {
    target: 'es2022',
    lib: ['es2022', 'dom'],
    module: 'nodenext',
    types: [],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
  },
  include: ['*.mts', '*.d.ts'],
};

/** Throws at the first thing that does not work. */
export async function tryPackage(tarball) {
  const app = mkdtempSync(join(tmpdir(), 'invsr-app-'));
  try {
    install(app, tarball);
    importAll(app);
    compileAll(app);
    await makePicture(app);
  } finally {
    rmSync(app, { recursive: true, force: true });
  }
}

const json = (path) => JSON.parse(readFileSync(path, 'utf8'));

function install(app, tarball) {
  const { lockfileVersion, packages } = json('package-lock.json');
  const { '': root, ...others } = packages;
  const { version, bin, dependencies } = root;
  const application = { dependencies: { 'invsr-webgpu': `file:${tarball}` } };
  const lock = {
    lockfileVersion,
    packages: {
      '': application,
      'node_modules/invsr-webgpu': { version, resolved: `file:${tarball}`, bin, dependencies },
      ...Object.fromEntries(Object.entries(others).filter(([, { dev }]) => !dev)),
    },
  };
  writeFileSync(join(app, 'package.json'), JSON.stringify(application));
  writeFileSync(join(app, 'package-lock.json'), JSON.stringify(lock));
  npm(['ci', '--prefer-offline', ...QUIET], { cwd: app });
}

/** Names that a module lacks end this before its first line. */
function importAll(app) {
  const { exports } = json(join(app, 'node_modules/invsr-webgpu/package.json'));
  const untold = Object.keys(exports).filter((path) => !NAMES[path] && !NO_MODULES.includes(path));
  if (untold.length > 0)
    throw new Error(`scripts/try-package.mjs does not know ${untold.join(', ')}`);
  const lines = Object.entries(NAMES).map(
    ([path, names]) => `import { ${names.join(', ')} } from 'invsr-webgpu${path.slice(1)}';`,
  );
  writeFileSync(join(app, 'imports.mts'), lines.join('\n'));
  writeFileSync(join(app, 'imports.mjs'), lines.join('\n'));
  execFileSync(process.execPath, ['imports.mjs'], { cwd: app });
  console.log(`${lines.length} subpaths imported in Node`);
}

function compileAll(app) {
  const blocks = ['README.md', 'examples/README.md'].flatMap((page) =>
    [...readFileSync(page, 'utf8').matchAll(/^```[jt]s\n([^]*?)^```/gm)].map(([, code]) => code),
  );
  blocks.forEach((code, i) => writeFileSync(join(app, `printed-${i}.mts`), code));
  writeFileSync(join(app, 'given.d.ts'), GIVEN);
  writeFileSync(join(app, 'tsconfig.json'), JSON.stringify(TSCONFIG));
  const tsc = resolve('node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '-p', app], { stdio: 'inherit' });
  console.log(`${blocks.length} printed examples compiled`);
}

async function makePicture(app) {
  const lender = 'node_modules/@sparticuz';
  if (existsSync(lender)) symlinkSync(resolve(lender), join(app, 'node_modules/@sparticuz'));
  const [width, height] = [32, 24];
  const photo = sharp('examples/images/still-life-lr.png');
  await photo.extract({ left: 40, top: 40, width, height }).toFile(join(app, 'in.png'));
  const invsr = (...args) => npm(['exec', '--offline', '--', 'invsr', ...args], { cwd: app });
  console.log(`invsr ${invsr('--version').trim()}`);
  console.log(invsr('upscale', 'in.png', '-o', 'out.png', '--tile', '32').trim());
  const result = await sharp(join(app, 'out.png')).metadata();
  if (result.width !== 4 * width || result.height !== 4 * height) {
    throw new Error(`the installed package made ${result.width}x${result.height} pixels`);
  }
}
