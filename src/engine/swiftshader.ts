/**
 * Software Vulkan for machines without a GPU: finds Mesa's lavapipe, and unpacks SwiftShader (with a
 * Vulkan loader) from the npm package @sparticuz/chromium, once per user and version.
 */
import {
  createReadStream,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
} from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { constants, homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress } from 'node:zlib';
import { DeviceError } from './errors.ts';

/** ICD manifest of lavapipe, wherever Vulkan loaders look, or undefined. */
export function lavapipeIcd(): string | undefined {
  const { XDG_DATA_HOME, XDG_DATA_DIRS, XDG_CONFIG_HOME } = process.env;
  const folders = [
    XDG_CONFIG_HOME ?? join(homedir(), '.config'),
    '/etc',
    '/usr/local/etc',
    XDG_DATA_HOME ?? join(homedir(), '.local/share'),
    ...(XDG_DATA_DIRS ?? '/usr/local/share:/usr/share').split(':'),
  ];
  return folders
    .flatMap((folder) =>
      ['lvp_icd.json', `lvp_icd.${VULKAN_ARCH[process.arch] ?? process.arch}.json`].map((file) =>
        join(folder, 'vulkan/icd.d', file),
      ),
    )
    .find((path) => existsSync(path));
}

const VULKAN_ARCH: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' };

/** The installed package's root folder, or undefined. It holds x64 Linux binaries only. */
export function packageRoot(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined;
  if (process.env['INVSR_NO_SWIFTSHADER']) return undefined; // for tests: as where it is not installed
  try {
    let folder = dirname(createRequire(import.meta.url).resolve('@sparticuz/chromium'));
    while (!existsSync(join(folder, 'bin', 'swiftshader.tar.br'))) {
      if (folder === dirname(folder)) return undefined;
      folder = dirname(folder);
    }
    return folder;
  } catch {
    return undefined;
  }
}

/**
 * Folder with `vk_swiftshader_icd.json`, `libvk_swiftshader.so` and `libvulkan.so.1`, unpacked if
 * need be, or undefined where the package is not installed.
 */
export const swiftShaderFolder = (): Promise<string | undefined> =>
  unpackedFolder('swiftshader', (unpack) => unpack('swiftshader.tar.br'));

/** A file of the package's `bin` into a stream, an archive into the folder. */
type Unpack = (file: string, to?: NodeJS.WritableStream) => Promise<void>;

/**
 * A folder of the cache for this version of the package, which `fill` fills if need be, or undefined
 * where the package is not installed.
 */
export async function unpackedFolder(
  name: string,
  fill: (unpack: Unpack, folder: string) => Promise<void>,
): Promise<string | undefined> {
  const root = packageRoot();
  if (root === undefined) return undefined;
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    version: string;
  };
  const folder = join(cacheFolder(), `${name}-${version}`);
  await makeWhole(folder, (partial) => {
    // The package depends on tar-fs, so it is there whenever the package is.
    const { extract } = createRequire(join(root, 'package.json'))('tar-fs') as {
      extract: (folder: string) => NodeJS.WritableStream;
    };
    const unpack: Unpack = (file, to = extract(partial)) =>
      pipeline(createReadStream(join(root, 'bin', file)), createBrotliDecompress(), to);
    return fill(unpack, partial);
  });
  return folder;
}

/** A folder that `fill` fills, beside it and renamed: whole whenever it exists, or DeviceError. */
export async function makeWhole(
  folder: string,
  fill: (partial: string) => Promise<void>,
): Promise<void> {
  if (existsSync(folder)) return;
  let partial: string | undefined;
  try {
    partial = mkdtempSync(`${folder}.`);
    await fill(partial);
    await rename(partial, folder);
  } catch (cause) {
    if (partial !== undefined) await rm(partial, { recursive: true, force: true });
    if (existsSync(folder)) return; // another process was faster
    throw new DeviceError({
      what: `cannot unpack the software driver into ${folder}`,
      needed: 'a folder that can be written, on a disk with room',
      got: cause instanceof Error ? cause.message : String(cause),
      remedy: 'Set XDG_CACHE_HOME to such a folder.',
    });
  }
}

/** Where unpacked drivers are kept: the user's cache, or a private temporary folder. */
function cacheFolder(): string {
  const folder = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'invsr');
  try {
    mkdirSync(folder, { recursive: true });
    return folder;
  } catch {
    return privateTemporaryFolder('cache');
  }
}

/** `<tmp>/invsr-<name>-<uid>`, readable by nobody else; a fresh one if somebody planted that. */
export function privateTemporaryFolder(name: string): string {
  const uid = process.getuid?.() ?? 0;
  const folder = join(tmpdir(), `invsr-${name}-${uid}`);
  try {
    mkdirSync(folder, { mode: 0o700 });
    return folder;
  } catch {
    const stat = existsSync(folder) ? lstatSync(folder) : undefined;
    const isOurs = stat?.isDirectory() && stat.uid === uid && (stat.mode & 0o077) === 0;
    return isOurs ? folder : mkdtempSync(`${folder}-`);
  }
}

const RTLD_NODELETE = 0x1000; // glibc; missing in os.constants

/** Loads a shared library for others in the process to find by soname. False where it is missing. */
export function loadLibrary(path: string): boolean {
  const { RTLD_NOW, RTLD_GLOBAL } = constants.dlopen;
  try {
    process.dlopen({ exports: {} }, path, RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);
  } catch (error) {
    // Node loads it, finds that it is no addon, and complains; the library stays (NODELETE).
    return error instanceof Error && error.message.includes('did not self-register');
  }
  return true;
}
