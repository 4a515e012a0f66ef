/**
 * Tasks of a page's main thread, from Chromium's own trace: how long each took by the clock, and how
 * long a core worked on it. Where other processes want the cores too, as SwiftShader does, only the
 * second is the page's doing.
 */
import { writeFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';

/** One task; times in milliseconds, to a tenth. */
export interface Task {
  readonly ms: number;
  /** Of a core. */
  readonly cpuMs: number;
  /** Since its phase began. */
  readonly atMs: number;
  /** What takes most of it: a frame (style, layout, paint, commit), V8's garbage, the page's script, or none of these. */
  readonly kind: 'frame' | 'garbage' | 'script' | 'other';
}

/** The longest tasks, by the clock and by what a core worked; they may be one. */
export interface Longest {
  readonly byClock: Task;
  readonly byCore: Task;
}

/** Tasks that began while a pipeline was being compiled, and all others. Missing where there were none. */
export interface MainThread {
  readonly compiling?: Longest;
  readonly otherwise?: Longest;
  /** Of the others, by the clock. */
  readonly over50Ms: number;
}

export interface TraceEvent {
  readonly name: string;
  readonly cat: string;
  readonly pid: number;
  readonly tid: number;
  /** Microseconds, as all of it. */
  readonly ts: number;
  readonly dur?: number;
  /** Of a core. */
  readonly tdur?: number;
  readonly args?: { readonly src_file?: string };
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

/** By phase: from each `mark` in `work` to the next. `file` takes the trace, with samples of what the thread did. */
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
  let underWay = 0;
  const marked = async <T>(compiled: Promise<T>): Promise<T> => {
    if (underWay++ === 0) performance.mark(begin);
    try {
      return await compiled;
    } finally {
      if (--underWay === 0) performance.mark(end);
    }
  };
  const device = GPUDevice.prototype;
  // oxlint-disable-next-line typescript/unbound-method -- called with their objects
  const { createComputePipelineAsync, createRenderPipelineAsync } = device;
  device.createComputePipelineAsync = function (descriptor) {
    return marked(createComputePipelineAsync.call(this, descriptor));
  };
  device.createRenderPipelineAsync = function (descriptor) {
    return marked(createRenderPipelineAsync.call(this, descriptor));
  };
}

/** Of a trace with marks: the main thread is the one that made them. */
export function byPhase(events: readonly TraceEvent[]): Record<string, MainThread> {
  const isMark = ({ cat }: TraceEvent): boolean => cat.includes('blink.user_timing');
  const first = events.find((event) => isMark(event) && event.name.startsWith(PHASE));
  if (!first) throw new Error('the trace has no marks');
  const timeline = events
    .filter(({ pid, tid }) => pid === first.pid && tid === first.tid)
    // What is inside a task follows it, also where both began at once.
    .toSorted((a, b) => a.ts - b.ts || (b.dur ?? 0) - (a.dur ?? 0));
  const phases: Record<string, MainThread> = {};
  let [phase, begun, isCompiling] = ['', 0, false];
  for (const [i, event] of timeline.entries()) {
    const { name, ts } = event;
    if (name === COMPILING) isCompiling = true;
    else if (name === COMPILED) isCompiling = false;
    else if (name.startsWith(PHASE)) [phase, begun] = [name.slice(PHASE.length), ts];
    else if (name === TASK && phase !== '' && phase !== END) {
      const task = taskOf(event, begun, kindOf(event, timeline, i + 1));
      const { over50Ms, ...known } = phases[phase] ?? { over50Ms: 0 };
      const which = isCompiling ? 'compiling' : 'otherwise';
      phases[phase] = {
        ...known,
        [which]: longest(known[which], task),
        over50Ms: over50Ms + (!isCompiling && task.ms > 50 ? 1 : 0),
      };
    }
  }
  return phases;
}

const taskOf = ({ ts, dur, tdur }: TraceEvent, begun: number, kind: Task['kind']): Task => ({
  ms: tenths(dur),
  cpuMs: tenths(tdur),
  atMs: tenths(ts - begun),
  kind,
});

const tenths = (microseconds = 0): number => Math.round(microseconds / 100) / 10;

/** Posts what a frame is made of, and the news that it is shown. */
const FRAME = 'cc/trees/proxy_impl.cc';
const GARBAGE = new Set(['MajorGC', 'MinorGC']);
/** Outermost events of scripts. */
const SCRIPT = new Set([
  'BlinkScheduler_PerformMicrotaskCheckpoint',
  'EvaluateScript',
  'FunctionCall',
  'RunMicrotasks',
  'v8.evaluateModule',
]);

/** By the events of the timeline inside the task, which lie from `from` on. */
function kindOf(
  { ts, dur = 0 }: TraceEvent,
  timeline: readonly TraceEvent[],
  from: number,
): Task['kind'] {
  const inside: TraceEvent[] = [];
  for (let i = from; (timeline[i]?.ts ?? Infinity) < ts + dur; i++) {
    const event = timeline[i];
    if (event) inside.push(event);
  }
  if (inside.some(({ args }) => args?.src_file === FRAME)) return 'frame';
  if (lengthOf(inside, GARBAGE) > dur / 2) return 'garbage';
  return lengthOf(inside, SCRIPT) > dur / 2 ? 'script' : 'other';
}

/** Of all events of these names; of those inside each other the outermost. */
function lengthOf(events: readonly TraceEvent[], names: ReadonlySet<string>): number {
  let [length, end] = [0, 0];
  for (const { name, ts, dur = 0 } of events) {
    if (!names.has(name) || ts < end) continue;
    length += dur;
    end = ts + dur;
  }
  return length;
}

const longest = (known: Longest | undefined, task: Task): Longest => ({
  byClock: known && known.byClock.ms >= task.ms ? known.byClock : task,
  byCore: known && known.byCore.cpuMs >= task.cpuMs ? known.byCore : task,
});
