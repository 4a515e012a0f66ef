/** What the full-size tests share: the device, the rows for the table, the reference's own errors. */
import { appendFileSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll } from 'vitest';
import type { EngineContext } from '../../src/engine/context.ts';
import { openContext } from '../../src/graph/open-context.ts';
import { createDevice } from '../../src/engine/node-device.ts';
import type { Folder } from '../../src/weights/folder.ts';
import { nodeFolder } from '../../src/weights/node-file.ts';
import { goldenPath } from '../harness/goldens.ts';
import type { Precision } from '../harness/networks.ts';

export type BlockError = readonly [path: string, error: number];

/** One line of docs/numerics.md. */
export interface Row {
  readonly part: string;
  readonly precision: Precision;
  readonly error: number;
  readonly maxAbs: number;
  /** The independent implementation's rms/std and largest difference. */
  readonly reference: number;
  readonly worstBlock?: BlockError;
  /** All of them, in the order of computation. */
  readonly blocks: readonly BlockError[];
  readonly psnr?: number;
  readonly seconds: number;
  /** Of the whole process while it ran: more than `seconds` per core means a busy machine. */
  readonly cpuSeconds: number;
  /** Weights, slots and parameters; of single networks as planned without taps. */
  readonly gpuBytes: number;
}

/** Set by scripts/full.mjs. */
function environment(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: use npm run test:full`);
  return value;
}

export const modelFolder = (): Folder => nodeFolder(environment('INVSR_FULL_MODEL'));

const tolerances = JSON.parse(readFileSync(goldenPath('tolerances_full.json'), 'utf8')) as Record<
  'f32' | 'f16sim',
  Record<string, { rms_over_std: number }>
>;

/** The largest rms/std of these entries. */
export const referenceOf = (precision: Precision, names: readonly string[]): number =>
  Math.max(
    ...names.map((n) => tolerances[precision === 'f16' ? 'f16sim' : 'f32'][n]!.rms_over_std),
  );

/** Seconds of wall and processor time since the call. */
export function startClock(): () => Pick<Row, 'seconds' | 'cpuSeconds'> {
  const started = performance.now();
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return { seconds: (performance.now() - started) / 1000, cpuSeconds: (user + system) / 1e6 };
  };
}

interface FullSize {
  /** From the first test on. */
  readonly context: EngineContext;
  record(row: Row): void;
}

/** A device of its own for a file of tests. */
export function fullSize(): FullSize {
  let context: EngineContext | undefined;
  beforeAll(async () => {
    const { device } = await createDevice({ adapter: environment('INVSR_FULL_ADAPTER') });
    context = await openContext(device);
  });
  afterAll(() => {
    context?.dispose();
    context?.device.destroy();
  });
  return {
    get context() {
      return context!;
    },
    record(row) {
      const { description, vendor } = context!.capabilities;
      const line = JSON.stringify({ ...row, adapter: description || vendor });
      appendFileSync(environment('INVSR_FULL_ROWS'), `${line}\n`);
    },
  };
}
