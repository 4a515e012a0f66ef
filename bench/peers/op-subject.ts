/**
 * What is measured beside a peer: an op of a graph with the types of its inputs, random values for
 * them, and our kernels that compute it.
 *
 * Values are multiples of f16's steps, so that both sides begin with the same numbers whatever they
 * store them as. Weights are scaled so that results are of the order of one.
 *
 * groupNorm stands for our three kernels (partial, finalize, apply): a peer's op is all of them. It
 * has the inputs x, gamma and beta.
 */
import { type Kernel, sizeOf, type Target, type TensorType } from '../../src/engine/kernel.ts';
import type { Dispatch, Plan } from '../../src/engine/plan.ts';
import { kernelOf } from '../../src/graph/ops.ts';
import type { Activation } from '../../src/kernels/epilogue.ts';
import { groupNormFinalize, groupNormPartial } from '../../src/kernels/group-norm-stats.ts';
import { groupNormApply } from '../../src/kernels/group-norm.ts';
import { phaseWeights } from '../../src/weights/phase-weights.ts';
import { toHalf, toSingle } from '../../src/weights/half.ts';
import { normal } from '../../test/harness/random.ts';

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
  /** The op's constants (docs/architecture.md); groupNorm: groups, eps, activation. */
  readonly constants: object;
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

/** Our dispatches; the subject's inputs and `output` are externals of the plan. */
export function planOf({ op, inputs, constants }: OpSubject, target: Target): Plan {
  if (op === 'groupNorm') return groupNormPlan(inputs, constants, target);
  const kernel = kernelOf(op, inputs, constants, target);
  return planOfSteps(inputs, [{ kernel, output: 'output' }]);
}

export interface GroupNormConstants {
  readonly groups: number;
  readonly eps: number;
  readonly activation?: Activation;
}

function groupNormPlan(inputs: OpSubject['inputs'], constants: object, target: Target): Plan {
  const { groups, eps, activation = 'none' } = constants as GroupNormConstants;
  const { x, gamma, beta } = inputs;
  if (!x || !gamma || !beta) throw new Error('groupNorm needs x, gamma and beta');
  const pixels = sizeOf(x.shape.slice(1, -1));
  const partial = groupNormPartial({ x }, {}, target);
  const stats = groupNormFinalize(
    { partial: partial.output.type, gamma },
    { groups, eps, pixels },
    target,
  );
  const apply = groupNormApply({ x, stats: stats.output.type, beta }, { activation }, target);
  return planOfSteps(inputs, [
    { kernel: partial, output: 'partial' },
    { kernel: stats, output: 'stats' },
    { kernel: apply, output: 'output' },
  ]);
}

/** Kernels one after another; a step's output is an external that later ones may read. */
function planOfSteps(
  inputs: OpSubject['inputs'],
  steps: readonly { readonly kernel: Kernel; readonly output: string }[],
): Plan {
  const dispatches = steps.map(({ kernel, output }): Dispatch => ({
    path: kernel.name,
    kernel,
    inputs: Object.fromEntries(
      Object.keys(kernel.bindings).map((name) => [name, { kind: 'external', name }]),
    ),
    output: { kind: 'external', name: output },
  }));
  const outputs = steps.map(({ kernel, output }) => [output, kernel.output.type] as const);
  return {
    slots: [],
    weights: [],
    externals: { ...inputs, ...Object.fromEntries(outputs) },
    prepare: [],
    dispatches,
    named: {},
  };
}
