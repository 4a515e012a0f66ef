/** Progress for people (a bar on a terminal, sparse lines elsewhere) and for programs (--json). */
import { basename } from 'node:path';
import { Presets, SingleBar } from 'cli-progress';
import type { UpscaleProgress } from '../invsr/upscale-settings.ts';
import { type Transfer, transferBar, transferEvents, transferLines } from './transfer-progress.ts';

export interface Reporter {
  /** A fact worth a line: the adapter, what was written. */
  note(line: string): void;
  /** Something that went another way than asked for; the work goes on. `facts` are for programs. */
  warning(message: string, facts: Readonly<Record<string, unknown>>): void;
  progress(input: string, progress: UpscaleProgress): void;
  /** Work that is counted in bytes. */
  transfer(transfer: Transfer): void;
  result(result: Readonly<Record<string, unknown>>, lines: readonly string[]): void;
  /** `input` names the one image that failed, when others go on. */
  error(message: string, input?: string): void;
  stop(): void;
}

/** What every command works with. */
export interface CommandContext {
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
}

const JSON_INTERVAL_MS = 100;

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/**
 * One JSON object per line on stdout and nothing else there. Errors are told on stderr too, so that
 * a log has the sentence.
 */
export function jsonReporter(): Reporter {
  const emit = (object: object): void => void process.stdout.write(`${JSON.stringify(object)}\n`);
  const eta = etaClock();
  const bytes = transferEvents(emit);
  /** When each stage was last told of. Loading and compiling overlap. */
  const toldAt = new Map<string, number>();
  return {
    note: say,
    warning: (message, facts) => {
      emit({ event: 'warning', message, ...facts });
      say(`invsr: warning: ${message}`);
    },
    progress: (input, p) => {
      const seconds = eta(p);
      const now = performance.now();
      // The first and the last of every stage, and ten a second between them.
      const since = now - (toldAt.get(p.stage) ?? Number.NEGATIVE_INFINITY);
      if (p.done < p.total && since < JSON_INTERVAL_MS) return;
      if (p.done < p.total) toldAt.set(p.stage, now);
      else toldAt.delete(p.stage);
      const etaSeconds = seconds === undefined ? null : Math.round(10 * seconds) / 10;
      emit({ event: 'progress', input, ...p, ...tileOf(p), etaSeconds });
    },
    transfer: bytes.update,
    result: (result) => emit({ event: 'result', ...result }),
    error: (message, input) => {
      emit({ event: 'error', ...(input !== undefined && { input }), message });
      say(`invsr: ${message}`);
    },
    stop: bytes.stop,
  };
}

/** A bar with stage, tile and ETA on stderr when that is a terminal, else a line per stage. */
export function textReporter(): Reporter {
  return process.stderr.isTTY ? barReporter() : lineReporter();
}

function barReporter(): Reporter {
  let bar: SingleBar | undefined;
  let current = '';
  const eta = etaClock();
  const bytes = transferBar();
  let meter = createMeter();
  const stop = (): void => {
    bytes.stop();
    bar?.stop();
    bar = undefined;
    meter = createMeter();
  };
  const note = (line: string): void => {
    stop();
    say(line);
  };
  return {
    note,
    warning: (message) => note(`invsr: warning: ${message}`),
    progress: (input, p) => {
      if (input !== current) stop();
      current = input;
      const seconds = eta(p);
      const left = seconds === undefined ? '' : `${Math.ceil(seconds)} s left`;
      const shown = { name: basename(input), stage: stageName(p), left };
      bar ??= start(shown);
      bar.update(Math.round(1000 * meter(p)), shown);
    },
    transfer: bytes.update,
    result: (_, lines) => {
      stop();
      for (const line of lines) process.stdout.write(`${line}\n`);
    },
    error: (message) => note(`invsr: ${message}`),
    stop,
  };

  function start(shown: object): SingleBar {
    const created = new SingleBar(
      {
        format: '{name} {bar} {percentage}% {stage} {left}',
        barsize: 24,
        hideCursor: true,
        clearOnComplete: true,
        stream: process.stderr,
        // A signal is ours to handle: it must not end the process before the files are safe.
        gracefulExit: false,
      },
      Presets.shades_classic,
    );
    created.start(1000, 0, shown);
    return created;
  }
}

function lineReporter(): Reporter {
  const bytes = transferLines(say);
  /** Since the latest tile: loading and compiling take turns. */
  const said = new Set<string>();
  return {
    note: say,
    warning: (message) => say(`invsr: warning: ${message}`),
    progress: (input, p) => {
      const line = `${input}: ${stageName(p)}`;
      if (!said.has(line)) say(line);
      if (p.stage === 'tiles' || p.stage === 'finish') said.clear();
      said.add(line);
    },
    transfer: bytes.update,
    result: (_, lines) => {
      for (const line of lines) process.stdout.write(`${line}\n`);
    },
    error: (message) => say(`invsr: ${message}`),
    stop: bytes.stop,
  };
}

/** What each stage takes of a first, small picture with a warm shader cache: start and share. */
const SHARES = {
  load: { from: 0, share: 0.05 },
  compile: { from: 0.05, share: 0.15 },
  tiles: { from: 0.2, share: 0.75 },
  finish: { from: 0.95, share: 0.05 },
} as const;

const fraction = ({ done, total }: UpscaleProgress): number => (total > 0 ? done / total : 0);

/** Of the whole picture, 0 to 1; never falls, though loading and compiling overlap. */
export function createMeter(): (progress: UpscaleProgress) => number {
  const before = new Map<string, number>();
  let highest = 0;
  return (p) => {
    const { from, share } = SHARES[p.stage];
    const isBefore = p.stage === 'load' || p.stage === 'compile';
    if (isBefore) before.set(p.stage, share * fraction(p));
    const made = isBefore
      ? [...before.values()].reduce((sum, part) => sum + part, 0)
      : from + share * fraction(p);
    highest = Math.max(highest, made);
    return highest;
  };
}

const STAGES = {
  load: 'loading weights',
  compile: 'compiling',
  tiles: 'upscaling',
  finish: 'finishing',
} as const;

/** The tile being computed, from 1, and all of the picture. */
const tileOf = ({ stage, done, total }: UpscaleProgress) =>
  stage === 'tiles' && { tile: Math.min(total, Math.floor(done) + 1), tiles: total };

function stageName(progress: UpscaleProgress): string {
  const name = STAGES[progress.stage];
  const at = tileOf(progress);
  return at && at.tiles > 1 ? `${name}, tile ${at.tile} of ${at.tiles}` : name;
}

/** Seconds left in the current stage, from its own pace; undefined until 2 % are done. */
function etaClock(): (progress: UpscaleProgress) => number | undefined {
  const stages = new Map<string, { since: number; before: number }>();
  return (p) => {
    const share = fraction(p);
    const known = stages.get(p.stage);
    // From its beginning again: the next picture.
    const since = known && share >= known.before ? known.since : performance.now();
    stages.set(p.stage, { since, before: share });
    if (share < 0.02) return undefined;
    return (((performance.now() - since) / 1000) * (1 - share)) / share;
  };
}
