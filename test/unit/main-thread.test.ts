/** The longest tasks that a trace tells of, by phase, and what they were. */
import { expect, test } from 'vitest';
import { byPhase, type TraceEvent } from '../browser/main-thread.ts';

type Inside = Pick<TraceEvent, 'name' | 'args'>;

/** Times in milliseconds; `name` fills the task. */
const task = (ts: number, dur: number, tdur: number, inside?: Inside): TraceEvent[] =>
  [{ name: 'RunTask' }, ...(inside ? [inside] : [])].map((event, i) => ({
    ...event,
    cat: 'toplevel',
    pid: 1,
    tid: 2,
    ts: 1e3 * ts + i,
    dur: 1e3 * dur - 2 * i,
    tdur: 1e3 * tdur,
  }));
const mark = (ts: number, name: string): TraceEvent => ({
  name,
  cat: 'blink.user_timing',
  pid: 1,
  tid: 2,
  ts: 1e3 * ts,
});

test('by the clock and by the core, apart from what is compiled, since the phase began', () => {
  const events = [
    ...task(0, 500, 500), // before any phase
    mark(1000, 'invsr phase first'),
    ...task(1010, 60, 2, { name: 'task', args: { src_file: 'cc/trees/proxy_impl.cc' } }),
    ...task(1100, 20, 15, { name: 'RunMicrotasks' }),
    mark(1200, 'invsr compiles'),
    ...task(1210, 90, 9, { name: 'MajorGC' }),
    mark(1400, 'invsr has compiled'),
    ...task(1500, 55, 3).map((event) => ({ ...event, tid: 3 })), // of another thread
    mark(2000, 'invsr phase again'),
    ...task(2001, 7, 6),
    mark(3000, 'invsr phase end'),
    ...task(3010, 400, 400),
  ];
  const again = { ms: 7, cpuMs: 6, atMs: 1, kind: 'other' };
  expect(byPhase(events)).toEqual({
    first: {
      otherwise: {
        byClock: { ms: 60, cpuMs: 2, atMs: 10, kind: 'frame' },
        byCore: { ms: 20, cpuMs: 15, atMs: 100, kind: 'script' },
      },
      compiling: {
        byClock: { ms: 90, cpuMs: 9, atMs: 210, kind: 'garbage' },
        byCore: { ms: 90, cpuMs: 9, atMs: 210, kind: 'garbage' },
      },
      over50Ms: 1,
    },
    again: { otherwise: { byClock: again, byCore: again }, over50Ms: 0 },
  });
});

test('a trace without marks is refused', () => {
  expect(() => byPhase(task(0, 1, 1))).toThrow('no marks');
});
