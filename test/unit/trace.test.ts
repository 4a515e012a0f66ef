/**
 * A trace is what its viewers need: the Trace Event Format's fields, and on each track events in order
 * that do not overlap (perfetto.dev/docs/faq: overlapping events of one track are not supported).
 */
import { describe, expect, test } from 'vitest';
import { type SpanEvent, type TraceEvent, traceOf } from '../../bench/trace.ts';
import { profileRecord } from '../harness/bench-records.ts';

const spansOf = (events: readonly TraceEvent[]): SpanEvent[] =>
  events.filter((event) => event.ph === 'X');

/** Names of the tracks that an event's `pid` and `tid` lead to. */
const trackOf = (events: readonly TraceEvent[], { pid, tid }: SpanEvent): unknown =>
  events.find((e) => e.name === 'thread_name' && e.pid === pid && e.tid === tid)?.args;

function expectTracksInOrder(events: readonly TraceEvent[]): void {
  const free = new Map<string, number>();
  for (const { pid, tid, ts, dur } of spansOf(events)) {
    const track = `${pid}/${tid}`;
    expect(ts).toBeGreaterThanOrEqual(free.get(track) ?? 0);
    expect(dur).toBeGreaterThanOrEqual(0);
    free.set(track, ts + dur);
  }
}

describe('traceOf', () => {
  const { traceEvents, displayTimeUnit } = traceOf([profileRecord]);
  const dispatches = spansOf(traceEvents).filter(({ cat }) => cat === 'dispatch');

  test('has every dispatch once, in microseconds, on the track of its network', () => {
    expect(displayTimeUnit).toBe('ns');
    expect(dispatches).toHaveLength(profileRecord.dispatches.length);
    const conv = profileRecord.dispatches.find(({ path }) => path === 'unet.conv_in');
    const event = dispatches.find(({ args }) => args['layer'] === 'unet.conv_in');
    expect(event).toMatchObject({ ts: conv!.begin / 1e3, dur: conv!.nanoseconds / 1e3 });
    expect(event?.args).toMatchObject({
      variant: conv!.variant,
      workgroups: '8 x 4 x 1',
      'GFLOP/s': conv!.flops / conv!.nanoseconds,
      'GB/s': conv!.bytes / conv!.nanoseconds,
    });
    expect(trackOf(traceEvents, event!)).toEqual({ name: 'unet' });
  });

  test('every event has the fields of the format, and a named track in a named process', () => {
    for (const event of traceEvents) {
      expect(event.name).not.toBe('');
      expect(Number.isInteger(event.pid) && Number.isInteger(event.tid)).toBe(true);
    }
    for (const span of spansOf(traceEvents)) {
      expect(Number.isFinite(span.ts) && Number.isFinite(span.dur)).toBe(true);
      expect(trackOf(traceEvents, span)).toEqual({ name: expect.stringMatching(/./) });
    }
    const processes = traceEvents.filter(({ name }) => name === 'process_name');
    expect(processes.map(({ args }) => args)).toEqual([
      { name: 'invsr-nano f16, tile 128: Fixture 9000' },
    ]);
    expect(JSON.parse(JSON.stringify(traceEvents))).toEqual(traceEvents);
  });

  test('a submit spans its dispatches', () => {
    const submits = spansOf(traceEvents).filter(({ cat }) => cat === 'submit');
    expect(submits.map(({ name }) => name)).toEqual(['submit 0', 'submit 1']);
    for (const [i, { ts, dur, args }] of submits.entries()) {
      const members = dispatches.filter(({ args }) => args['submit'] === i);
      expect(args['dispatches']).toBe(members.length);
      expect(ts).toBe(Math.min(...members.map((m) => m.ts)));
      expect(ts + dur).toBeCloseTo(Math.max(...members.map((m) => m.ts + m.dur)), 9);
    }
  });

  test('tracks are in order', () => expectTracksInOrder(traceEvents));

  test('dispatches at the same time get tracks of their own', () => {
    const [first, second] = profileRecord.dispatches.filter(({ path }) => path.startsWith('unet.'));
    const overlapping = [first!, { ...second!, begin: first!.begin + 1 }];
    const events = traceOf([{ ...profileRecord, dispatches: overlapping }]).traceEvents;
    expectTracksInOrder(events);
    const tracks = spansOf(events).map((event) => trackOf(events, event));
    expect(tracks).toContainEqual({ name: 'unet' });
    expect(tracks).toContainEqual({ name: 'unet (2)' });
  });

  test('a dispatch shorter than the clock has no rate', () => {
    const [first] = profileRecord.dispatches;
    const { traceEvents } = traceOf([
      { ...profileRecord, dispatches: [{ ...first!, nanoseconds: 0 }] },
    ]);
    const args = spansOf(traceEvents).find(({ cat }) => cat === 'dispatch')?.args;
    expect(args).toHaveProperty('MFLOP');
    expect(args).not.toHaveProperty('GFLOP/s');
  });

  test('several profiles are several processes', () => {
    const events = traceOf([profileRecord, { ...profileRecord, precision: 'f32' }]).traceEvents;
    expect(new Set(events.map(({ pid }) => pid))).toEqual(new Set([1, 2]));
    expectTracksInOrder(events);
  });
});
