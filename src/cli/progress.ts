/** Progress for people (a bar on a terminal, sparse lines elsewhere) and for programs (--json). */
import { Presets, SingleBar } from 'cli-progress';
import type { UpscaleProgress } from '../invsr/upscaler.ts';

export interface Reporter {
  /** A fact worth a line: the adapter, what was written. */
  note(line: string): void;
  progress(label: string, progress: UpscaleProgress): void;
  result(result: Readonly<Record<string, unknown>>, lines: readonly string[]): void;
  error(message: string): void;
  stop(): void;
}

/** One JSON object per line on stdout; notes go to stderr so that stdout stays machine-readable. */
export function jsonReporter(): Reporter {
  const emit = (object: object): void => void process.stdout.write(`${JSON.stringify(object)}\n`);
  const eta = etaClock();
  return {
    note: (line) => void process.stderr.write(`${line}\n`),
    progress: (input, p) => emit({ event: 'progress', input, ...p, etaSeconds: eta(p) ?? null }),
    result: (result) => emit({ event: 'result', ...result }),
    error: (message) => emit({ event: 'error', message }),
    stop: () => {},
  };
}

/** A bar with stage, tile and ETA on stderr when that is a terminal, else a line per stage. */
export function textReporter(): Reporter {
  return process.stderr.isTTY ? barReporter() : lineReporter();
}

function barReporter(): Reporter {
  let bar: SingleBar | undefined;
  const eta = etaClock();
  const stop = (): void => {
    bar?.stop();
    bar = undefined;
  };
  const note = (line: string): void => {
    stop();
    process.stderr.write(`${line}\n`);
  };
  return {
    note,
    progress: (label, p) => {
      bar ??= start();
      const seconds = eta(p);
      bar.update(Math.round(1000 * fraction(p)), {
        label,
        stage: stageName(p),
        left: seconds === undefined ? '' : `${Math.ceil(seconds)} s left`,
      });
    },
    result: (_, lines) => {
      stop();
      for (const line of lines) process.stdout.write(`${line}\n`);
    },
    error: (message) => note(`invsr: ${message}`),
    stop,
  };

  function start(): SingleBar {
    const created = new SingleBar(
      {
        format: '{label} {bar} {percentage}% {stage} {left}',
        hideCursor: true,
        clearOnComplete: true,
        stream: process.stderr,
      },
      Presets.shades_classic,
    );
    created.start(1000, 0, { label: '', stage: '', left: '' });
    return created;
  }
}

function lineReporter(): Reporter {
  let last = '';
  const note = (line: string): void => void process.stderr.write(`${line}\n`);
  return {
    note,
    progress: (label, p) => {
      const line = `${label}: ${stageName(p)}`;
      if (line !== last) note(line);
      last = line;
    },
    result: (_, lines) => {
      for (const line of lines) process.stdout.write(`${line}\n`);
    },
    error: (message) => note(`invsr: ${message}`),
    stop: () => {},
  };
}

const fraction = ({ done, total }: UpscaleProgress): number => (total > 0 ? done / total : 0);

function stageName({ stage, tile, tiles }: UpscaleProgress): string {
  const names = {
    load: 'loading weights',
    compile: 'compiling',
    tiles: 'upscaling',
    finish: 'finishing',
  };
  return tiles === undefined || tiles < 2
    ? names[stage]
    : `${names[stage]}, tile ${tile} of ${tiles}`;
}

/** Seconds left in the current stage, from its own pace; undefined until 2 % are done. */
function etaClock(): (progress: UpscaleProgress) => number | undefined {
  let stage = '';
  let since = 0;
  return (p) => {
    if (p.stage !== stage) {
      stage = p.stage;
      since = performance.now();
    }
    const share = fraction(p);
    if (share < 0.02) return undefined;
    return (((performance.now() - since) / 1000) * (1 - share)) / share;
  };
}
