/**
 * Which cases of the bench have a peer, and as what. A case is one kernel; group normalisation is
 * three, and its peer is compared with all of them, at the last.
 */
import type { TensorType } from '../../src/engine/kernel.ts';
import type { Activation } from '../../src/kernels/epilogue.ts';
import { type OpSubject, PEER_OPS, type PeerOp } from './op-subject.ts';

export interface PeerCase {
  readonly op: string;
  readonly inputs: Readonly<Record<string, TensorType>>;
  readonly constants: Readonly<Record<string, unknown>>;
}

/** Of Stable Diffusion's norms; times do not depend on eps. */
const GROUPS = 32;
const EPS = 1e-6;

/** undefined where no peer has such an op. */
export function subjectOf({ op, inputs, constants }: PeerCase): OpSubject | undefined {
  if (op !== 'groupNormApply') {
    return isPeerOp(op) ? { op, inputs, constants } : undefined;
  }
  const { x, beta } = inputs;
  const channels = x?.shape.at(-1) ?? 0;
  if (!x || !beta) return undefined;
  const activation = constants['activation'] as Activation | undefined;
  return {
    op: 'groupNorm',
    inputs: { x, gamma: beta, beta },
    constants: {
      groups: channels % GROUPS === 0 ? GROUPS : 4,
      eps: EPS,
      ...(activation && { activation }),
    },
  };
}

const isPeerOp = (op: string): op is PeerOp => (PEER_OPS as readonly string[]).includes(op);
