/**
 * One op on our engine and on onnxruntime's WebGPU provider, in turns on the same adapter.
 *
 *   openOpPeer(context)  → time(subject, dtype) → dispose
 *
 * Both sides' times are GPU times by timestamp queries with a pass per dispatch, ours from profiler.ts
 * and its from its own profile; a sample is the sum over the op's dispatches. What it does to carry
 * images into its layout and back is left out, because inside a network that cancels.
 *
 * Outputs are compared before anything is timed. Each form that ONNX has for the op (op-graphs.ts) is
 * tried in both layouts of the provider; the one with the lowest median counts.
 */
import type { EngineContext } from '../../src/engine/context.ts';
import { createExecutor } from '../../src/engine/executor.ts';
import { byteLength } from '../../src/engine/kernel.ts';
import { dispatchesOf } from '../../src/engine/plan.ts';
import { createProfiler } from '../../src/engine/profiler.ts';
import { readBuffer } from '../../src/engine/readback.ts';
import { Buffers } from '../../src/invsr/buffers.ts';
import { type Spread, spreadOf } from '../../src/invsr/measure.ts';
import { toHalf, toSingle } from '../../src/weights/half.ts';
import { packageVersion } from '../machine.ts';
import { relativeError } from '../networks.ts';
import { agreement } from './agreement.ts';
import { onnxFor } from './op-graphs.ts';
import type { OpGraph } from './op-request.ts';
import { type OpSubject, planOf, type TimedSubject, valuesOf, type Values } from './op-subject.ts';
import { type Ort, type OrtLayout, type PeerKernel, type PeerNetwork, startOrt } from './ort.ts';

export type PeerDtype = 'f32' | 'f16';

/** Without `peer` there is none that could be compared: `note` says why. */
export interface OpResult {
  readonly name: string;
  readonly dtype: PeerDtype;
  /** Ours, in turns with the peer's. */
  readonly ours: Spread;
  readonly peer?: Spread;
  /** rms(ours − theirs) / std(theirs). */
  readonly difference?: number;
  readonly note: string;
}

export interface OpPeer {
  readonly name: string;
  /** `rounds`: the least of them. */
  time(subject: TimedSubject, options: { readonly rounds: number }): Promise<OpResult>;
  dispose(): void;
}

/** Forms slower than this many times the fastest, by two runs' wall time, are not timed. */
const WORTH_TIMING = 2;
/** A first run compiles; drivers have been seen to take minutes for one kernel. */
const FIRST_RUN_SECONDS = 60;
/** Short ops are run more often than asked for, so that one disturbance does not decide. */
const SECONDS_OF_ROUNDS = 1.5;
const MOST_ROUNDS = 50;

export async function openOpPeer(context: EngineContext): Promise<OpPeer> {
  let ort = await startOrt(context.capabilities);
  const name = `onnxruntime-node ${packageVersion('bench/peers/node_modules/onnxruntime-node')}`;

  /** Compiled, compared and warm; or why not. */
  async function enter(
    graph: OpGraph,
    layout: OrtLayout,
    { expected, limit }: { readonly expected: Float32Array; readonly limit: number },
  ): Promise<Entrant | string> {
    const label = [layout, graph.form].filter(Boolean).join(' ');
    if (!ort.isAlive) ort = await startOrt(context.capabilities);
    const process = ort;
    try {
      const { model, feeds } = graph;
      const session = await process.openLayout(model, {
        feeds,
        layout,
        isProfiled: true,
        isStrict: true,
      });
      const first = await within(FIRST_RUN_SECONDS, session.run());
      if (first === undefined) {
        ort.dispose();
        return `${label}: not compiled within ${FIRST_RUN_SECONDS} s`;
      }
      const difference = relativeError(expected, graph.ours(first.values));
      if (!(difference <= limit)) {
        await session.close();
        return `${label}: differs from ours by ${difference.toExponential(1)}, more than ${limit.toExponential(1)}`;
      }
      const walls = [(await session.run()).milliseconds];
      if (walls[0] !== undefined && walls[0] < 1000) walls.push((await session.run()).milliseconds);
      return {
        label,
        graph,
        process,
        session,
        difference,
        wall: Math.min(...walls),
        warm: 1 + walls.length,
      };
    } catch (error) {
      return `${label}: ${error instanceof Error ? firstLine(error.message) : String(error)}`;
    }
  }

  return {
    name,
    async time(subject, { rounds }) {
      const dtype = dtypeOf(subject);
      const values = valuesOf(subject);
      const ours = await openOurs(context, subject, values);
      const entrants: (Entrant & { readonly form: Form })[] = [];
      const refused: string[] = [];
      try {
        await ours.sample();
        const expected = await ours.output();
        const limit = agreement(subject);
        const forms = onnxFor(subject, values, dtype).flatMap((graph) =>
          (graph.isImage ? (['NHWC', 'NCHW'] as const) : (['NHWC'] as const)).map((layout) => ({
            graph,
            layout,
          })),
        );
        // A form that ends the process takes those before it along: they enter again.
        for (let open = forms; open.length > 0;) {
          for (const form of open) {
            const entrant = await enter(form.graph, form.layout, { expected, limit });
            if (typeof entrant === 'string') refused.push(entrant);
            else entrants.push({ ...entrant, form });
          }
          const lost = entrants.filter(({ process }) => !process.isAlive);
          for (const each of lost) entrants.splice(entrants.indexOf(each), 1);
          open = lost.map(({ form }) => form);
        }
        const fastest = Math.min(...entrants.map(({ wall }) => wall));
        const racing = entrants.filter(({ wall }) => wall <= WORTH_TIMING * fastest);
        const found: number[] = [];
        const until = performance.now() + 1000 * SECONDS_OF_ROUNDS;
        while (found.length < rounds || (performance.now() < until && found.length < MOST_ROUNDS)) {
          found.push(await ours.sample());
          for (const { session } of racing) await session.run();
        }
        if (!found.every((sample) => sample > 0)) throw new Error('timestamps that stand still');
        const common = { name, dtype, ours: spreadOf(found) };
        const timed: { entrant: Entrant; spread: Spread }[] = [];
        for (const entrant of racing) {
          const runs = (await entrant.session.timings()).slice(entrant.warm);
          const samples = runs.map((run) => counted(run, entrant.graph.isImage));
          if (samples.length === found.length && samples.every((sample) => sample > 0)) {
            timed.push({ entrant, spread: spreadOf(samples) });
          } else refused.push(`${entrant.label}: no GPU times`);
        }
        const [best] = timed.toSorted((a, b) => a.spread.median - b.spread.median);
        if (!best) return { ...common, note: `no times: ${refused.join('; ')}` };
        const { label, difference } = best.entrant;
        const note = [label, ...refused.map((why) => `not ${why}`)].join('; ');
        return { ...common, peer: best.spread, difference, note };
      } finally {
        ours.dispose();
        for (const { session } of entrants) await session.close().catch(() => undefined);
      }
    },
    dispose: () => ort.dispose(),
  };
}

interface Form {
  readonly graph: OpGraph;
  readonly layout: OrtLayout;
}

interface Entrant {
  readonly label: string;
  readonly graph: OpGraph;
  readonly process: Ort;
  readonly session: PeerNetwork;
  readonly difference: number;
  readonly wall: number;
  /** Runs before the first that counts. */
  readonly warm: number;
}

/** Our nodes are named `<op>_<number>`; transposes of other names are the provider's. */
const OWN = /^[A-Za-z]+_\d+$/;

function counted(run: readonly PeerKernel[], isImage: boolean): number {
  const kernels = run.filter(({ node, op }) => !isImage || op !== 'Transpose' || OWN.test(node));
  return kernels.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
}

const dtypeOf = ({ inputs }: OpSubject): PeerDtype =>
  (inputs['x'] ?? inputs['q'] ?? inputs['a'])?.dtype === 'f16' ? 'f16' : 'f32';

interface Ours {
  /** GPU milliseconds of one run, without what a plan prepares once. */
  sample(): Promise<number>;
  output(): Promise<Float32Array>;
  dispose(): void;
}

async function openOurs(
  context: EngineContext,
  subject: TimedSubject,
  values: Values,
): Promise<Ours> {
  const plan = planOf(subject, context.target);
  const buffers = new Buffers(context);
  for (const [name, { dtype }] of Object.entries(subject.inputs)) {
    const data = values[name];
    if (data) await buffers.write(name, dtype === 'f16' ? bytesOf(toHalf(data)) : data);
  }
  const externals = await buffers.for(plan);
  // Executors have no externals when they prepare.
  const whole = { ...plan, prepare: [], dispatches: dispatchesOf(plan) };
  const compiled = await context.pipelines.compile(whole.dispatches);
  const executor = await createExecutor(context, whole, compiled);
  const profiler = createProfiler(context.device);
  return {
    async sample() {
      await executor.run({ externals, profiler });
      const times = (await profiler.read()).slice(plan.prepare.length);
      return times.reduce((sum, { nanoseconds }) => sum + nanoseconds / 1e6, 0);
    },
    async output() {
      const type = plan.externals['output'];
      if (!type) throw new Error('the plan has no output');
      const bytes = await readBuffer(context.device, buffers.at('output'), byteLength(type));
      return type.dtype === 'f16' ? toSingle(new Uint16Array(bytes)) : new Float32Array(bytes);
    },
    dispose() {
      profiler.dispose();
      executor.dispose();
      buffers.dispose();
    },
  };
}

const bytesOf = ({ buffer, byteOffset, byteLength: length }: Uint16Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, length);

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? '';

/** undefined where it took longer; then the work still goes on. */
async function within<T>(seconds: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), 1000 * seconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
