/** Progress in bytes (downloads, checks, copies, synthetic weights): rate and time left, as a bar, lines or objects. */
import { Presets, SingleBar } from 'cli-progress';

export interface Transfer {
  readonly stage: 'download' | 'check' | 'copy' | 'write';
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface TransferView {
  readonly update: (transfer: Transfer) => void;
  readonly stop: () => void;
}

/** `1.73 GB`; decimal, as the hub and disks count. */
export function humanBytes(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = Math.round(bytes);
  let unit = 0;
  for (; value >= 999.5 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`;
}

export function humanSeconds(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 100) return `${whole} s`;
  if (whole < 6000) return `${Math.ceil(whole / 60)} min`;
  return `${(whole / 3600).toFixed(1)} h`;
}

interface Pace {
  readonly bytesPerSecond: number | undefined;
  readonly etaSeconds: number | undefined;
}

const WINDOW_MS = 10_000;

/** Rate over the last ten seconds; what an earlier run left counts as no work. */
export function paceClock(now: () => number = () => performance.now()): (t: Transfer) => Pace {
  let samples: { at: number; done: number }[] = [];
  let stage = '';
  return ({ stage: current, doneBytes, totalBytes }) => {
    const at = now();
    if (current !== stage) samples = [];
    stage = current;
    samples.push({ at, done: doneBytes });
    samples = samples.filter((s, i) => at - s.at <= WINDOW_MS || i === samples.length - 1);
    const [first] = samples;
    const seconds = first ? (at - first.at) / 1000 : 0;
    const moved = first ? doneBytes - first.done : 0;
    if (seconds < 0.2 || moved <= 0) return { bytesPerSecond: undefined, etaSeconds: undefined };
    const bytesPerSecond = moved / seconds;
    return { bytesPerSecond, etaSeconds: (totalBytes - doneBytes) / bytesPerSecond };
  };
}

const INTERVAL_MS = 100;

/** At most ten calls a second; the last state is always told, if need be a moment later. */
function throttled(action: (transfer: Transfer) => void): TransferView {
  let last = -Infinity;
  let later: NodeJS.Timeout | undefined;
  const stop = (): void => {
    clearTimeout(later);
    later = undefined;
  };
  const update = (transfer: Transfer): void => {
    stop();
    const wait = last + INTERVAL_MS - performance.now();
    if (wait > 0 && transfer.doneBytes < transfer.totalBytes) {
      later = setTimeout(() => update(transfer), wait);
      later.unref();
      return;
    }
    last = performance.now();
    action(transfer);
  };
  return { update, stop };
}

const VERBS = {
  download: 'fetching',
  check: 'checking',
  copy: 'copying',
  write: 'writing',
} as const;

export function transferBar(): TransferView {
  let bar: SingleBar | undefined;
  const pace = paceClock();
  const view = throttled((transfer) => {
    const { stage, doneBytes, totalBytes } = transfer;
    const { bytesPerSecond, etaSeconds } = pace(transfer);
    const shown = {
      verb: VERBS[stage],
      amount: `${humanBytes(doneBytes)} of ${humanBytes(totalBytes)}`,
      rate: bytesPerSecond === undefined ? '' : `${humanBytes(bytesPerSecond)}/s`,
      left: etaSeconds === undefined ? '' : `${humanSeconds(etaSeconds)} left`,
    };
    if (!bar) {
      bar = new SingleBar(
        {
          format: '{verb} {bar} {percentage}% {amount} {rate} {left}',
          barsize: 24,
          hideCursor: true,
          clearOnComplete: true,
          stream: process.stderr,
          gracefulExit: false, // a signal is main.ts's to handle
        },
        Presets.shades_classic,
      );
      bar.start(Math.max(1, totalBytes), 0, shown);
    }
    bar.update(doneBytes, shown);
  });
  const stop = (): void => {
    view.stop();
    bar?.stop();
    bar = undefined;
  };
  return { update: view.update, stop };
}

/** A line for every tenth. */
export function transferLines(say: (line: string) => void): TransferView {
  let last = '';
  const pace = paceClock();
  return throttled((transfer) => {
    const { stage, doneBytes, totalBytes } = transfer;
    const { bytesPerSecond } = pace(transfer);
    const tenth = totalBytes === 0 ? 10 : Math.floor((10 * doneBytes) / totalBytes);
    if (`${stage}${tenth}` === last) return;
    last = `${stage}${tenth}`;
    const rate = bytesPerSecond === undefined ? '' : `, ${humanBytes(bytesPerSecond)}/s`;
    say(`${VERBS[stage]}: ${humanBytes(doneBytes)} of ${humanBytes(totalBytes)}${rate}`);
  });
}

export function transferEvents(emit: (event: object) => void): TransferView {
  const pace = paceClock();
  return throttled((transfer) => {
    const { bytesPerSecond, etaSeconds } = pace(transfer);
    emit({
      event: 'progress',
      ...transfer,
      bytesPerSecond: bytesPerSecond === undefined ? null : Math.round(bytesPerSecond),
      etaSeconds: etaSeconds === undefined ? null : Math.round(10 * etaSeconds) / 10,
    });
  });
}
