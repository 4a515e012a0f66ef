/**
 * A profiled run as a trace that Perfetto (ui.perfetto.dev) and chrome://tracing open: the JSON of the
 * Trace Event Format, complete events (`ph: 'X'`) with times in microseconds.
 *
 *   one process per profile, in it a track for the submits and one for each network
 *
 * Events of a track may nest but not overlap, or viewers misplace them; dispatches that did run at the
 * same time therefore get a second track of their network, rather than times that were not measured.
 */
import type { DispatchTiming } from '../src/engine/profiler.ts';
import { NETWORKS, networkOf } from '../src/invsr/measure.ts';
import type { ProfileRecord } from './profile-record.ts';

/** `X`: a span; `M`: names of processes and tracks. */
export type TraceEvent = SpanEvent | NameEvent;

export interface SpanEvent {
  readonly ph: 'X';
  readonly name: string;
  readonly cat: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur: number;
  readonly args: Readonly<Record<string, string | number>>;
}

export interface NameEvent {
  readonly ph: 'M';
  readonly name: 'process_name' | 'thread_name' | 'thread_sort_index';
  readonly pid: number;
  readonly tid: number;
  readonly args: { readonly name: string } | { readonly sort_index: number };
}

export interface Trace {
  readonly displayTimeUnit: 'ns';
  readonly otherData: Readonly<Record<string, string>>;
  readonly traceEvents: readonly TraceEvent[];
}

export function traceOf(profiles: readonly ProfileRecord[]): Trace {
  const machine = profiles[0]?.machine;
  return {
    displayTimeUnit: 'ns',
    otherData: machine
      ? { adapter: machine.adapter, commit: machine.commit, date: machine.date }
      : {},
    traceEvents: profiles.flatMap((profile, i) => processOf(profile, i + 1)),
  };
}

function processOf({ machine, model, precision, tile, dispatches }: ProfileRecord, pid: number) {
  const groups = [
    { name: 'submits', spans: submitSpans(dispatches) },
    ...[...NETWORKS, 'other'].map((network) => ({
      name: network,
      spans: dispatches.filter(({ path }) => networkOf(path) === network).map(dispatchSpan),
    })),
  ];
  const tracks = groups.flatMap(({ name, spans }) =>
    lanesOf(spans).map((lane, i) => ({ name: i === 0 ? name : `${name} (${i + 1})`, lane })),
  );
  const title = `${model} ${precision}, tile ${tile}: ${machine.adapter}`;
  return [
    named('process_name', { pid, tid: 0 }, { name: title }),
    ...tracks.flatMap(({ name, lane }, i): TraceEvent[] => {
      const at = { pid, tid: i + 1 };
      return [
        named('thread_name', at, { name }),
        named('thread_sort_index', at, { sort_index: i }),
        ...lane.map(({ begin, end, ...rest }): SpanEvent => ({
          ph: 'X',
          ...rest,
          ...at,
          ts: begin / 1000,
          dur: (end - begin) / 1000,
        })),
      ];
    }),
  ];
}

const named = (
  name: NameEvent['name'],
  at: { readonly pid: number; readonly tid: number },
  args: NameEvent['args'],
): NameEvent => ({ ph: 'M', name, ...at, args });

/** Nanoseconds. */
interface Span extends Pick<SpanEvent, 'name' | 'cat' | 'args'> {
  readonly begin: number;
  readonly end: number;
}

function dispatchSpan(timing: DispatchTiming): Span {
  const { name, variant, path, begin, nanoseconds, flops, bytes, submit, workgroups } = timing;
  return {
    name,
    cat: 'dispatch',
    begin,
    end: begin + nanoseconds,
    args: {
      layer: path,
      variant,
      workgroups: workgroups.join(' x '),
      submit,
      MFLOP: flops / 1e6,
      MB: bytes / 1e6,
      // A dispatch shorter than the clock's step has no rate.
      ...(nanoseconds > 0 && { 'GFLOP/s': flops / nanoseconds, 'GB/s': bytes / nanoseconds }),
    },
  };
}

function submitSpans(dispatches: readonly DispatchTiming[]): Span[] {
  const submits = new Map<number, DispatchTiming[]>();
  for (const timing of dispatches) {
    submits.set(timing.submit, [...(submits.get(timing.submit) ?? []), timing]);
  }
  return [...submits].map(([submit, members]) => ({
    name: `submit ${submit}`,
    cat: 'submit',
    begin: Math.min(...members.map(({ begin }) => begin)),
    end: Math.max(...members.map(({ begin, nanoseconds }) => begin + nanoseconds)),
    args: {
      dispatches: members.length,
      first: members[0]?.path ?? '',
      MFLOP: members.reduce((sum, { flops }) => sum + flops, 0) / 1e6,
    },
  }));
}

/** Spans by beginning, in as few lanes as hold them without overlap. */
function lanesOf(spans: readonly Span[]): Span[][] {
  const lanes: { free: number; readonly spans: Span[] }[] = [];
  for (const span of spans.toSorted((a, b) => a.begin - b.begin)) {
    let lane = lanes.find(({ free }) => free <= span.begin);
    if (!lane) {
      lane = { free: 0, spans: [] };
      lanes.push(lane);
    }
    lane.spans.push(span);
    lane.free = span.end;
  }
  return lanes.map(({ spans }) => spans);
}
