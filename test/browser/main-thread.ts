/**
 * Tasks of a page's main thread, from Chromium's own trace: how long each took by the clock, and how
 * long a core worked on it. Where other processes want the cores too, as SwiftShader does, only the
 * second is the page's doing.
 */
import { writeFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';

/** The longest task, in milliseconds; 0 where there was none. */
export interface Longest {
  readonly ms: number;
  /** Of a core; the longest by this may be another one. */
  readonly cpuMs: number;
}

/** Tasks that began while a pipeline was being compiled, and all others. */
export interface MainThread {
  readonly compiling: Longest;
  readonly otherwise: Longest;
}

interface TraceEvent {
  readonly name: string;
  readonly cat: string;
  readonly pid: number;
  readonly tid: number;
  /** Microseconds, as all of it. */
  readonly ts: number;
  readonly dur?: number;
  /** Of a core. */
  readonly tdur?: number;
}

const CATEGORIES = [
  'blink.user_timing',
  'toplevel',
  'devtools.timeline',
  'disabled-by-default-devtools.timeline',
];
const SAMPLES = ['v8.execute', 'disabled-by-default-v8.cpu_profiler'];
const TASK = 'RunTask';
const COMPILING = 'invsr compiles';
const COMPILED = 'invsr has compiled';
const PHASE = 'invsr phase ';
const END = 'end';

/** By phase: from each `mark` in `work` to the next. `file` takes the trace. */
export async function traceMainThread(
  { browser, page, file }: { browser: Browser; page: Page; file?: string | undefined },
  work: (mark: (phase: string) => Promise<void>) => Promise<void>,
): Promise<Record<string, MainThread>> {
  await page.addInitScript(markCompilation, [COMPILING, COMPILED] as const);
  const categories = [...CATEGORIES, ...(file === undefined ? [] : SAMPLES)];
  await browser.startTracing(page, { categories });
  const mark = (phase: string): Promise<void> =>
    page.evaluate((name) => void performance.mark(name), PHASE + phase);
  await work(mark);
  await mark(END);
  const trace = await browser.stopTracing();
  if (file !== undefined) writeFileSync(file, trace);
  const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: TraceEvent[] };
  return byPhase(traceEvents);
}

/** Runs in the page: marks from when pipelines are asked for until all of them are there. */
function markCompilation([begin, end]: readonly [string, string]): void {
  if (!('GPUDevice' in globalThis)) return;
  const { prototype } = GPUDevice;
  // oxlint-disable-next-line typescript/unbound-method -- called with the device
  const compile = prototype.createComputePipelineAsync;
  let underWay = 0;
  prototype.createComputePipelineAsync = async function (descriptor) {
    if (underWay++ === 0) performance.mark(begin);
    try {
      return await compile.call(this, descriptor);
    } finally {
      if (--underWay === 0) performance.mark(end);
    }
  };
}

function byPhase(events: readonly TraceEvent[]): Record<string, MainThread> {
  const isMark = ({ cat }: TraceEvent): boolean => cat.includes('blink.user_timing');
  const first = events.find((event) => isMark(event) && event.name.startsWith(PHASE));
  if (!first) throw new Error('the trace has no marks');
  const timeline = events
    .filter(({ pid, tid }) => pid === first.pid && tid === first.tid)
    .filter((event) => event.name === TASK || isMark(event))
    .toSorted((a, b) => a.ts - b.ts);
  const phases: Record<string, MainThread> = {};
  let phase = '';
  let isCompiling = false;
  for (const { name, dur = 0, tdur = 0 } of timeline) {
    if (name === COMPILING) isCompiling = true;
    else if (name === COMPILED) isCompiling = false;
    else if (name.startsWith(PHASE)) phase = name.slice(PHASE.length);
    else if (name === TASK && phase !== '' && phase !== END) {
      const known = phases[phase] ?? { compiling: NONE, otherwise: NONE };
      const kind = isCompiling ? 'compiling' : 'otherwise';
      phases[phase] = {
        ...known,
        [kind]: longer(known[kind], { ms: dur / 1e3, cpuMs: tdur / 1e3 }),
      };
    }
  }
  return phases;
}

const NONE: Longest = { ms: 0, cpuMs: 0 };

const longer = (a: Longest, b: Longest): Longest => ({
  ms: Math.max(a.ms, b.ms),
  cpuMs: Math.max(a.cpuMs, b.cpuMs),
});
