/**
 * What some minutes on a GPU should tell, in one process and one file: for machines that are lent for
 * a short time. docs/gpu-session.md says how to run it and what to look at.
 *
 *   adapter   features, limits, subgroup matrices; which of them multiply rightly
 *   guess     every dispatch of InvSR-1 in the design that is guessed, and the adapter's ceilings
 *   tune      every design of every class of sizes, verified and timed
 *   tuned     the same in the designs that won
 *   path      one tile, 128 → 512, with synthetic weights
 *
 * The file is written anew after every stage: what was learnt stays when a later one fails or hangs.
 * `--quick` does the same with the embedded model and little of everything, to see that it runs.
 * `--from` goes on from the file of an earlier run: its designs are tuned no more, and are those of `tuned` and `path`.
 */
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import type { EngineContext } from '../src/engine/context.ts';
import { loadPlanner } from '../src/graph/lower.ts';
import { openContext } from '../src/graph/open-context.ts';
import type { Designs } from '../src/engine/kernel.ts';
import { reportMatrices } from '../src/engine/matrix-report.ts';
import { createDevice, type NodeDevice } from '../src/engine/node-device.ts';
import { FULL_SIZE } from '../src/invsr/full-size.ts';
import { measurePaths } from '../src/invsr/measure-path.ts';
import { openModel } from '../src/invsr/model.ts';
import { SIZES } from '../src/invsr/synthetic-configs.ts';
import { PARTS, syntheticModel } from '../src/invsr/synthetic-model.ts';
import type { ModelFacts } from '../src/invsr/tile-graph.ts';
import { tune } from '../src/tune/tune-model.ts';
import { nodeFolder } from '../src/weights/node-file.ts';
import { modelCases } from './cases.ts';
import { benchKernels } from './kernel-bench.ts';
import { commitOfClone, describeMachine, machineOf } from './machine.ts';
import type { Ceilings, KernelRecord } from './record.ts';

/** Replaced by scripts/gpu-session.mjs: a bundle runs where there is no clone. */
declare const INVSR_COMMIT: string | undefined;

const { values: flags } = parseArgs({
  options: {
    out: { type: 'string', default: 'gpu-session.json' },
    adapter: { type: 'string', default: 'auto' },
    quick: { type: 'boolean', default: false },
    stages: { type: 'string', default: 'adapter,guess,tune,tuned,path' },
    from: { type: 'string' },
  },
});
const { quick } = flags;

/** Minutes a stage may take. */
const MINUTES = quick ? { kernels: 0.3, tune: 0.05, path: 1 } : { kernels: 2, tune: 6, path: 3 };
/** A kernel is watched so long. */
const SECONDS = quick ? 0.05 : 0.3;
const TILE = quick ? 32 : 128;
const PRECISION = 'f16';

const note = (text: string): void =>
  console.error(`${new Date().toISOString().slice(11, 19)} ${text}`);
const until = (minutes: number): AbortSignal => AbortSignal.timeout(60_000 * minutes);

interface Session {
  readonly made: NodeDevice;
  readonly facts: ModelFacts;
  /** What tuning found. */
  designs: Designs;
  /** Measured with the first kernels. */
  ceilings?: Ceilings;
}

type Stage = (session: Session) => Promise<unknown>;

const STAGES: Readonly<Record<string, Stage>> = {
  adapter: async ({ made: { device, capabilities } }) => ({
    capabilities,
    matrices: await reportMatrices(capabilities, { open: () => Promise.resolve(device) }),
  }),
  guess: (session) => kernels(session, {}),
  tune: (session) =>
    withContext(session, {}, async (context) => {
      const result = await tune(context, session.facts, {
        precision: PRECISION,
        tile: TILE,
        minutes: MINUTES.tune,
        known: session.designs,
        onClass: ({ key, chosen, share }, { done, total }) =>
          note(`${done} of ${total}  ${key}: ${chosen}, ${share.toFixed(2)} of the guess`),
      });
      session.designs = { ...session.designs, ...result.designs };
      return result;
    }),
  tuned: (session) => kernels(session, session.designs),
  path: async (session) => {
    const folder = quick ? 'weights/invsr-nano' : await writeModel();
    const model = await openModel(nodeFolder(folder));
    try {
      return await withContext(session, session.designs, (context) =>
        measurePaths(context, model, {
          precisions: [PRECISION],
          tile: TILE,
          timesteps: [200],
          runs: quick ? 1 : 20,
          signal: until(MINUTES.path),
          onProgress: note,
        }),
      );
    } finally {
      await model.close();
      if (!quick) await rm(folder, { recursive: true });
    }
  },
};

async function withContext<T>(
  { made: { device, matrix } }: Session,
  designs: Designs,
  work: (context: EngineContext) => Promise<T>,
): Promise<T> {
  const context = await openContext(device, { ...(matrix && { matrix }), designs });
  await loadPlanner(context.target);
  try {
    return await work(context);
  } finally {
    await device.queue.onSubmittedWorkDone();
    context.dispose();
  }
}

const kernels = (session: Session, designs: Designs): Promise<KernelRecord> =>
  withContext(session, designs, (context) => kernelsOn(context, session));

function kernelsOn(context: EngineContext, session: Session): Promise<KernelRecord> {
  const { target, capabilities } = context;
  const { maxStorageBufferBindingSize: maxBindingBytes } = capabilities.limits;
  const options = { tile: TILE, timesteps: [200], target, maxBindingBytes };
  const source = { model: session.facts, name: '' };
  const all = modelCases(source, { precision: PRECISION, ...options });
  const cases = all.filter(({ count }) => count > 0);
  // The costliest first: the time may not do for all.
  const flops = new Map(cases.map((one) => [one, one.count * one.kernel(target).cost.flops]));
  const sorted = cases.toSorted((a, b) => (flops.get(b) ?? 0) - (flops.get(a) ?? 0));
  return benchKernels(context, quick ? sorted.slice(0, 3) : sorted, {
    machine,
    precision: PRECISION,
    samples: quick ? 5 : 10,
    seconds: SECONDS,
    ...(quick && { maxFlops: 1e7 }),
    signal: until(MINUTES.kernels),
    ceilings: session.ceilings,
    onCeilings: (ceilings) => {
      session.ceilings = ceilings;
    },
    onRow: ({ id, milliseconds, gflops }, { index, total }) =>
      note(
        `${index + 1} of ${total}  ${id}: ${milliseconds.median} ms, ${Math.round(gflops)} GFLOP/s`,
      ),
  });
}

/** Synthetic weights of full size, in a folder of their own. */
async function writeModel(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'invsr-gpu-session-'));
  const parts = PARTS.filter((part) => part !== 'text_encoder');
  for (const file of syntheticModel(SIZES.full, { parts, pth: false })) {
    const path = join(folder, file.path);
    mkdirSync(dirname(path), { recursive: true });
    await pipeline(Readable.from(file.content(), { objectMode: false }), createWriteStream(path));
  }
  return folder;
}

/** Of an earlier run's file. */
function designsIn(file: string): Designs {
  const { tune } = JSON.parse(readFileSync(file, 'utf8')) as { tune?: { designs?: Designs } };
  if (!tune?.designs) throw new Error(`--from ${file}: it has no tuned designs`);
  return tune.designs;
}

const stages = flags.stages.split(',').map((name) => {
  const work = STAGES[name];
  if (!work) throw new Error(`--stages ${name}: known are ${Object.keys(STAGES).join()}`);
  return { name, work };
});
const designs = flags.from === undefined ? {} : designsIn(flags.from);
const made = await createDevice({ adapter: flags.adapter });
const machine = machineOf(
  made.capabilities,
  typeof INVSR_COMMIT === 'undefined' ? commitOfClone() : INVSR_COMMIT,
);
note(describeMachine(machine));
const nano = quick ? await openModel(nodeFolder('weights/invsr-nano')) : undefined;
await nano?.close();
const session: Session = { made, facts: nano ?? FULL_SIZE, designs };
const record: Record<string, unknown> = {
  session: 'gpu',
  quick,
  machine,
  matrix: made.matrix ?? null,
};
for (const { name, work } of stages) {
  note(name);
  const start = performance.now();
  try {
    record[name] = await work(session);
  } catch (error) {
    record[name] = {
      failed: error instanceof Error ? (error.stack ?? error.message) : String(error),
    };
    process.exitCode = 1;
  }
  note(`${name}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
  writeFileSync(flags.out, `${JSON.stringify(record)}\n`);
}
made.device.destroy();
