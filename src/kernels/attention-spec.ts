/** What the designs of attention are made from, and what of their text they share. */
import { type DType, type Params, paramsWgsl, type Target } from '../engine/kernel.ts';
import { readWgsl, writeWgsl } from './storage.ts';

export interface AttentionSpec {
  /** Lengths in tokens; strides, offsets and the head's size in vec4s. */
  readonly params: Params;
  readonly keys: number;
  readonly headDim: number;
  /** Query i sees keys 0 to i only. */
  readonly causal: boolean;
  readonly dtype: DType;
  readonly kvDtype: DType;
  readonly target: Target;
}

export interface AttentionDesign {
  readonly wgsl: string;
  readonly queriesPerWorkgroup: number;
}

/**
 * The score of a key past the end and the first running maximum. Finite: under fast math
 * -inf - -inf may be anything; and far below any score of finite f16 or sane f32 inputs.
 */
export const MASKED = '-1e30f';

/** `params`, and q, k, v and y with their accessors. */
export const bindingsWgsl = ({ params, dtype, kvDtype, target }: AttentionSpec): string =>
  `${paramsWgsl(params)}
${readWgsl('q', 1, dtype, target)}
${readWgsl('k', 2, kvDtype, target)}
${readWgsl('v', 3, kvDtype, target)}
${writeWgsl('y', 4, dtype, target)}`;

/** Where the workgroup's head begins in each tensor; a workgroup is (queries, head, batch). */
export const basesWgsl = (headVectors: string): string =>
  `let head = workgroup.y * ${headVectors};
  let q_base = workgroup.z * params.queries * params.q_row + params.q_at + head;
  let k_base = workgroup.z * params.kv_batch * params.k_row + params.k_at + head;
  let v_base = workgroup.z * params.kv_batch * params.v_row + params.v_at + head;
  let y_base = workgroup.z * params.queries * params.y_row + head;
  let last_query = params.queries - 1u;
  let last_key = params.keys - 1u;`;
