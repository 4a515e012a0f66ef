/** What a figure is worth nothing without: adapter, driver, versions, commit, load. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { type Capabilities, nameOf } from '../src/engine/device.ts';
import type { Machine } from './record.ts';

/** Call it before the work: the load average should be that of the others. */
export function machineOf(capabilities: Capabilities): Machine {
  const { vendor, architecture, shaderF16 } = capabilities;
  return {
    date: new Date().toISOString().slice(0, 16),
    commit: commit(),
    adapter: nameOf(capabilities),
    vendor,
    architecture,
    shaderF16,
    dawn: `webgpu ${packageVersion('node_modules/webgpu')}`,
    node: process.version,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    load: Math.round(10 * (loadavg()[0] ?? 0)) / 10,
  };
}

export function packageVersion(folder: string): string {
  const text = readFileSync(`${folder}/package.json`, 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function commit(): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '-uno') ? '+' : '');
  } catch {
    return 'unknown'; // no git, or not a clone
  }
}

export const describeMachine = (m: Machine): string =>
  `${m.adapter} · ${m.dawn} · Node ${m.node} · ${m.cpu}, ${m.cores} cores, load ${m.load ?? 'unknown'} · commit ${m.commit} · ${m.date}`;
