/** The machine and the code behind a record, as Node tells them. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, loadavg } from 'node:os';
import { type Capabilities, nameOf } from '../src/engine/device.ts';
import type { Machine } from './record.ts';

/**
 * Call it before the work: the load average should be that of the others. `commit` names the code:
 * that of the clone, or the package's version.
 */
export function machineOf(capabilities: Capabilities, commit: string): Machine {
  const { vendor, architecture, device, shaderF16 } = capabilities;
  return {
    date: new Date().toISOString().slice(0, 16),
    commit,
    adapter: nameOf(capabilities),
    ...(device !== '' && { device }),
    vendor,
    architecture,
    shaderF16,
    dawn: `webgpu ${versionOf(createRequire(import.meta.url).resolve('webgpu/package.json'))}`,
    node: process.version,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    load: Math.round(10 * (loadavg()[0] ?? 0)) / 10,
  };
}

export function packageVersion(folder: string): string {
  return versionOf(`${folder}/package.json`);
}

const versionOf = (file: string): string =>
  (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;

/** Short hash of the clone in the current folder, with `+` when files differ from it. */
export function commitOfClone(): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '-uno') ? '+' : '');
  } catch {
    return 'unknown'; // no git, or not a clone
  }
}

export const describeMachine = (m: Machine): string =>
  [
    m.adapter,
    m.dawn,
    ...(m.node ? [`Node ${m.node}`] : []),
    `${m.cpu}, ${m.cores} cores${m.load === undefined ? '' : `, load ${m.load}`}`,
    `commit ${m.commit}`,
    m.date,
  ].join(' · ');
