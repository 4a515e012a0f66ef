/** What a figure is worth nothing without: adapter, driver, versions, commit, load. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { type Capabilities, nameOf } from '../src/engine/device.ts';

export interface Machine {
  readonly date: string;
  /** Short hash, with `+` when files differ from it. */
  readonly commit: string;
  /** Name and driver as Dawn tells them. */
  readonly adapter: string;
  readonly vendor: string;
  readonly architecture: string;
  readonly shaderF16: boolean;
  /** Version of npm `webgpu`, which carries Dawn. */
  readonly dawn: string;
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  /** Runnable processes, mean of the last minute: 0 is a quiet machine. */
  readonly load: number;
}

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
  `${m.adapter} · ${m.dawn} · Node ${m.node} · ${m.cpu}, ${m.cores} cores, load ${m.load} · commit ${m.commit} · ${m.date}`;
