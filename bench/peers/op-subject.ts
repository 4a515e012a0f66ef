/**
 * What is measured beside a peer: an op of a graph with the types of its inputs, random values for
 * them, and our kernels that compute it.
 *
 * Values are multiples of f16's steps, so that both sides begin with the same numbers whatever they
 * store them as. Weights are scaled so that results are of the order of one.
 *
 * groupNorm may be one kernel of ours or three (partial, finalize, apply): a peer's op is all of them.
 */
import { sizeOf, type Target, type TensorType } from '../../src/engine/kernel.ts';
import type { Dispatch, Plan } from '../../src/engine/plan.ts';
import { phaseWeights } from '../../src/weights/phase-weights.ts';
import { toHalf, toSingle } from '../../src/weights/half.ts';
import { normal } from '../../test/harness/random.ts';
import type { Step } from '../steps.ts';

export const PEER_OPS = [
  'activation',
  'attention',
  'concat',
  'conv2d',
  'geglu',
  'groupNorm',
  'layerNorm',
  'linear',
  'upsampleConv2d',
  'upsampleNearest',
] as const;
export type PeerOp = (typeof PEER_OPS)[number];

export interface OpSubject {
  readonly op: PeerOp;
  readonly inputs: Readonly<Record<string, TensorType>>;
  /** The op's constants (docs/architecture.md). */
  readonly constants: object;
}

export interface TimedSubject extends OpSubject {
  /** What computes it on ours; the last one's output is called `output`. */
  readonly steps: (target: Target) => readonly Step[];
}

export type Values = Readonly<Record<string, Float32Array>>;

/** Standard deviation of the random values of an input. */
function spreadOfInput(name: string, { shape }: TensorType): number {
  if (name === 'weight') return 1 / Math.sqrt(sizeOf(shape) / (shape.at(-1) ?? 1));
  return name === 'bias' || name === 'shift' || name === 'beta' ? 0.1 : 1;
}

/** How many values are drawn; larger tensors repeat them. A prime, so that no row equals the next. */
const DRAWN = 65_521;

/**
 * Host values of every input. upsampleConv2d also gets `weight3x3` [3, 3, Ci, Co], which its phase
 * weights are sums of.
 */
export function valuesOf({ op, inputs }: OpSubject): Values {
  const values: Record<string, Float32Array> = {};
  for (const [i, [name, type]] of Object.entries(inputs).entries()) {
    if (op === 'upsampleConv2d' && name === 'weight') {
      const [ci = 0, co = 0] = type.shape.slice(-2);
      const shape = [3, 3, ci, co];
      const weight = draw(sizeOf(shape), i + 1, spreadOfInput(name, { ...type, shape }));
      values['weight3x3'] = weight;
      values[name] = phaseWeights(weight, ci, co);
    } else {
      const random = draw(sizeOf(type.shape), i + 1, spreadOfInput(name, type));
      values[name] = name === 'gamma' ? random.map((v) => 1 + v / 8) : random;
    }
  }
  return values;
}

function draw(length: number, seed: number, std: number): Float32Array {
  const some = toSingle(toHalf(normal(Math.min(length, DRAWN), seed, { std })));
  return Float32Array.from({ length }, (_, i) => some[i % some.length] ?? 0);
}

/** Our dispatches; the subject's inputs and what the steps make are externals of the plan. */
export function planOf({ inputs, steps }: TimedSubject, target: Target): Plan {
  const made = steps(target);
  const dispatchOf = ({ kernel, inputs: names, output }: Step): Dispatch => ({
    path: kernel.name,
    kernel,
    inputs: Object.fromEntries(
      Object.keys(kernel.bindings).map((name) => [
        name,
        { kind: 'external', name: names[name] ?? name },
      ]),
    ),
    output: { kind: 'external', name: output },
  });
  const outputs = made.map(({ kernel, output }) => [output, kernel.output.type] as const);
  return {
    slots: [],
    weights: [],
    externals: { ...inputs, ...Object.fromEntries(outputs) },
    prepare: made.filter(({ isPrepared }) => isPrepared === true).map(dispatchOf),
    dispatches: made.filter(({ isPrepared }) => isPrepared !== true).map(dispatchOf),
    named: {},
  };
}
