/**
 * Which cases of the bench have a peer, and as what. A case is one op of a graph; group normalisation
 * of a large image is three, and its peer is compared with all of them, at the last. Where a plan has several
 * layers in one dispatch, each layer is a case of its own (count 0), and that has the peer.
 */
import type { Target } from '../../src/engine/kernel.ts';
import type { GroupNormConstants } from '../../src/kernels/group-norm.ts';
import { groupNormFinalize } from '../../src/kernels/group-norm-finalize.ts';
import { groupNormPartial } from '../../src/kernels/group-norm-partial.ts';
import {
  groupNormApply,
  type GroupNormApplyConstants,
} from '../../src/kernels/group-norm-apply.ts';
import type { BenchCase } from '../cases.ts';
import { type Step, stepOf } from '../steps.ts';
import { PEER_OPS, type PeerOp, type TimedSubject } from './op-subject.ts';

export type PeerCase = Pick<BenchCase, 'op' | 'inputs' | 'constants' | 'kernel' | 'steps'>;

/** Of Stable Diffusion's norms; times do not depend on eps. */
const GROUPS = 32;
const EPS = 1e-6;

/** Inputs of nodes that do more than a peer's op: a norm or a second product is in them (graph/norms.ts, row-norms.ts, statistics.ts, chain.ts). */
const FOLDED = ['stats', 'moments', 'columns', 'x2'] as const;

/** undefined where no peer has such an op. */
export function subjectOf(one: PeerCase): TimedSubject | undefined {
  const { op, inputs, constants } = one;
  if (op === 'groupNormApply') return wholeGroupNorm(one);
  const isMore = FOLDED.some((name) => inputs[name]) || constants['momentChannels'] !== undefined;
  if (!isPeerOp(op) || isMore) return undefined;
  const steps = (target: Target): readonly Step[] =>
    one.steps?.(target) ?? [stepOf(one.kernel(target))];
  return { op, inputs, constants, steps };
}

const isPeerOp = (op: string): op is PeerOp => (PEER_OPS as readonly string[]).includes(op);

/** partial and finalize before it; gamma is a vector like beta. */
function wholeGroupNorm({ inputs, constants }: PeerCase): TimedSubject | undefined {
  const { x, beta } = inputs;
  if (!x || !beta) return undefined;
  const { activation = 'none' } = constants as GroupNormApplyConstants;
  const channels = x.shape.at(-1) ?? 0;
  const groups = channels % GROUPS === 0 ? GROUPS : 4;
  const norm: GroupNormConstants = { groups, eps: EPS, activation };
  return {
    op: 'groupNorm',
    inputs: { x, gamma: beta, beta },
    constants: norm,
    steps(target) {
      const partial = groupNormPartial({ x }, {}, target);
      const stats = groupNormFinalize(
        { partial: partial.output.type, gamma: beta },
        { groups, eps: EPS },
        target,
      );
      const apply = groupNormApply({ x, stats: stats.output.type, beta }, { activation }, target);
      return [
        { ...stepOf(partial), output: 'partial' },
        { ...stepOf(stats), output: 'stats' },
        stepOf(apply),
      ];
    },
  };
}
