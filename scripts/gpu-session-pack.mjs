/**
 * Everything that a session on a GPU needs in one archive, for a Linux machine that has this processor and
 * neither Node, network nor this repository: Node itself, Dawn, the Vulkan loader where this machine has one, the
 * bundle, the embedded model (`--quick`) and the scripts for PyTorch. docs/gpu-session.md says how to use it.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const PLATFORM = `${process.platform}-${process.arch}`;
const LOADER_FOLDERS = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64'];
const TORCH = ['torch_invsr.py', 'torch_networks.py', 'torch-sizes.json'];

/** Writes `session.tar.xz` in `folder`; `bundle` is the session as one module. */
export function packSession(bundle, folder) {
  const parts = mkdtempSync(join(tmpdir(), 'invsr-gpu-pack-'));
  const add = (from, to) => {
    mkdirSync(dirname(join(parts, to)), { recursive: true });
    cpSync(from, join(parts, to), { recursive: true, dereference: true });
  };
  try {
    add(bundle, 'session.mjs');
    add(process.execPath, 'node');
    for (const file of ['package.json', 'index.js', `dist/${PLATFORM}`]) {
      add(`node_modules/webgpu/${file}`, `node_modules/webgpu/${file}`);
    }
    const loader = LOADER_FOLDERS.map((at) => `${at}/libvulkan.so.1`).find(existsSync);
    if (loader) add(loader, 'lib/libvulkan.so.1');
    add('weights/invsr-nano', 'weights/invsr-nano');
    for (const file of TORCH) add(`bench/peers/${file}`, file);
    mkdirSync(folder, { recursive: true });
    const archive = join(folder, 'session.tar.xz');
    execFileSync('tar', ['-cJf', archive, '-C', parts, ...readdirSync(parts)], {
      env: { ...process.env, XZ_OPT: '-T0' },
    });
    console.log(`${archive}: ${(statSync(archive).size / 2 ** 20).toFixed(1)} MiB`);
  } finally {
    rmSync(parts, { recursive: true });
  }
}
