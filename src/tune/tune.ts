/**
 * The fastest design of every class of sizes, measured on this device on the real shapes:
 *
 *   build    every candidate; what does not compile is out
 *   verify   one run over noise, some pixels against the f64 reference; what is wrong is out
 *   time     the others in rounds, one after another, so that a disturbance meets all of them
 *   decide   the first candidate, or one that is faster beyond noise (decide.ts)
 *
 * Where the device is lost, what was found until then stays, and the design that was running is told.
 */
import type { EngineContext } from '../engine/context.ts';
import type { Designs } from '../engine/kernel.ts';
import { Buffers } from '../invsr/buffers.ts';
import { admit, type Candidate, expectationOf } from './admit.ts';
import { type Clock, openClock } from './clock.ts';
import { contenders, decide, estimate, MAX_ROUNDS, MIN_ROUNDS } from './decide.ts';
import type { Subject } from './subjects.ts';

export interface TuneOptions {
  /** Time for all classes together; one that has begun is finished. @default no limit */
  readonly minutes?: number | undefined;
  /** Designs of other classes, from an earlier run; they are in effect while these are measured. */
  readonly known?: Designs | undefined;
  /** Ends the work at its next pause, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Hears of every class as soon as it is decided. */
  readonly onClass?: ((measured: ClassResult, progress: TuneProgress) => void) | undefined;
  /** Awaited before every piece of work on the device: resolves when it may go on. */
  readonly pause?: (() => Promise<void>) | undefined;
}

export interface TuneProgress {
  /** Classes. */
  readonly done: number;
  readonly total: number;
}

/** How one class of sizes went. Plain data. */
export interface ClassResult {
  readonly key: string;
  /** Layer path of the node that was measured. */
  readonly path: string;
  /** Nodes of this class in the graphs. */
  readonly count: number;
  readonly chosen: string;
  /** The factory's guess. */
  readonly first: string;
  /** What `chosen` takes of `first`'s time; 1 where it is the same. */
  readonly share: number;
  readonly designs: readonly DesignResult[];
}

export type DesignResult =
  | {
      readonly design: string;
      /** Of the node's dispatches, as decide.ts has it. */
      readonly milliseconds: number;
      readonly median: number;
      readonly rounds: number;
    }
  | { readonly design: string; readonly refused: string };

export interface TuneResult {
  readonly classes: readonly ClassResult[];
  /** For createContext and shipped rows: every class that was decided. */
  readonly designs: Designs;
  /** `budget` and `lost`: classes are left over. */
  readonly ended: 'done' | 'budget' | 'lost';
  /** Classes that were not decided. */
  readonly left: readonly string[];
  /** Why, for people; with `lost` it names the design that was running. */
  readonly reason?: string;
}

/** Rejects with the signal's reason where it aborts; what `onClass` was told until then holds. */
export async function tuneSubjects(
  context: EngineContext,
  subjects: readonly Subject[],
  { minutes = Infinity, known, signal, onClass, pause = async () => {} }: TuneOptions = {},
): Promise<TuneResult> {
  const until = performance.now() + 60_000 * minutes;
  const classes: ClassResult[] = [];
  const trial: Trial = { context, signal, pause, running: '' };
  const result = (ended: TuneResult['ended'], reason?: string): TuneResult => ({
    classes,
    designs: designsOf(classes),
    ended,
    left: subjects.slice(classes.length).map(({ key }) => key),
    ...(reason !== undefined && { reason }),
  });
  for (const subject of subjects) {
    if (performance.now() > until) return result('budget', `${minutes} minutes are over`);
    const found = { ...known, ...designsOf(classes) };
    const measured = await tuneClass(trial, subject, { found, until }).catch(
      async (error: unknown) => withoutTimes(trial, subject, await reasonOf(trial, error)),
    );
    classes.push(measured);
    onClass?.(measured, { done: classes.length, total: subjects.length });
    if (context.lost.aborted) {
      return result('lost', `${subject.key}, ${trial.running}: ${String(context.lost.reason)}`);
    }
  }
  return result('done');
}

const designsOf = (classes: readonly ClassResult[]): Designs =>
  Object.fromEntries(classes.map(({ key, chosen }) => [key, chosen]));

interface Trial extends Pick<TuneOptions, 'signal'> {
  readonly context: EngineContext;
  readonly pause: () => Promise<void>;
  /** The design at work: it is to blame where the device is lost. */
  running: string;
}

/** The signal's reason is thrown; a lost device is known as such some moments after what it caused. */
async function reasonOf({ signal, context }: Trial, error: unknown): Promise<string> {
  signal?.throwIfAborted();
  await new Promise((resolve) => setTimeout(resolve, LOSS_MS));
  if (context.lost.aborted) return 'the device was lost';
  return error instanceof Error ? error.message : String(error);
}

const LOSS_MS = 50;

/**
 * The class where nothing can be measured, for want of memory say. A design that lost the device is
 * refused alone: a further run does not lose it there again.
 */
function withoutTimes({ context, running }: Trial, subject: Subject, refused: string): ClassResult {
  const { candidates } = subject;
  const culprits = context.lost.aborted ? [running] : candidates;
  const other = candidates.find((design) => !culprits.includes(design));
  return resultOf(
    subject,
    {},
    culprits.map((design) => ({ design, refused })),
    other,
  );
}

async function tuneClass(
  trial: Trial,
  subject: Subject,
  { found, until }: { readonly found: Designs; readonly until: number },
): Promise<ClassResult> {
  const { context } = trial;
  trial.running = '';
  const reference = subject.reference();
  const buffers = new Buffers(context);
  const candidates: Candidate[] = [];
  const refused: DesignResult[] = [];
  let clock: Clock | undefined;
  try {
    if (!reference) return withoutTimes(trial, subject, 'there is no reference for this op');
    for (const [name, noise] of Object.entries(reference.inputs)) {
      await noise?.write(buffers, name);
    }
    const expected = expectationOf(reference);
    for (const design of subject.candidates) {
      await begin(trial, design);
      try {
        const plan = subject.plan(design, found);
        const { signal } = trial;
        const what = { design, plan, reference, expected, buffers, signal };
        candidates.push(await admit(context, what));
      } catch (error) {
        const reason = await reasonOf(trial, error);
        if (context.lost.aborted) throw error;
        refused.push({ design, refused: reason });
      }
    }
    const [first] = candidates;
    if (!first) return resultOf(subject, {}, refused);
    if (candidates.length === 1) return resultOf(subject, {}, refused, first.design);
    await begin(trial, first.design);
    clock = await openClock(context, first);
    const samples = await race(trial, { candidates, clock, until });
    return resultOf(subject, samples, refused);
  } finally {
    clock?.dispose();
    for (const candidate of candidates) candidate.dispose();
    buffers.dispose();
  }
}

async function begin(trial: Trial, design: string): Promise<void> {
  await trial.pause();
  trial.signal?.throwIfAborted();
  trial.running = design;
}

/** Samples in rounds over the candidates, until enough or the time is over. */
async function race(
  trial: Trial,
  {
    candidates,
    clock,
    until,
  }: {
    readonly candidates: readonly Candidate[];
    readonly clock: Clock;
    readonly until: number;
  },
): Promise<Readonly<Record<string, readonly number[]>>> {
  const samples: Record<string, number[]> = {};
  for (const { design } of candidates) samples[design] = [];
  const [first] = candidates;
  let racing = candidates;
  for (let round = 0; round < MAX_ROUNDS && racing.length > 1; round++) {
    if (round >= MIN_ROUNDS && performance.now() > until) break;
    for (const candidate of racing) {
      await begin(trial, candidate.design);
      samples[candidate.design]?.push(await clock.sample(candidate));
    }
    if (round + 1 < MIN_ROUNDS || !first) continue;
    const still = contenders(first.design, samples);
    racing = racing.filter(({ design }) => still.includes(design));
  }
  return samples;
}

function resultOf(
  { key, path, count, candidates: [first = ''] }: Subject,
  samples: Readonly<Record<string, readonly number[]>>,
  refused: readonly DesignResult[],
  only = first,
): ClassResult {
  const [fallback = only] = Object.keys(samples);
  const chosen = decide(fallback, samples);
  const timeOf = (design: string): number => estimate(samples[design] ?? []).time;
  const share = chosen === first ? 1 : timeOf(chosen) / timeOf(first);
  return {
    key,
    path,
    count,
    chosen,
    first,
    share: Number.isFinite(share) ? share : 1,
    designs: [
      ...Object.entries(samples).map(([design, times]) => {
        const { time, median } = estimate(times);
        return { design, milliseconds: time, median, rounds: times.length };
      }),
      ...refused,
    ],
  };
}
