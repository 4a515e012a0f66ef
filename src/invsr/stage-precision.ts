/**
 * Storage of activations by stage: what was asked for, until a check (graph/watch.ts) finds that a
 * stage's activations leave the range of f16; that stage is then computed in f32.
 */
import { NonFiniteError } from './errors.ts';
import type { Stage } from './tile-graph.ts';

/** A network left the range of f16 and was computed again in f32, as it is from now on. */
export interface PrecisionWarning {
  readonly stage: Stage;
  /** Path of the first layer with NaN or Infinity. */
  readonly layer: string;
  readonly message: string;
}

export class StagePrecision {
  readonly #asked: 'f16' | 'f32';
  readonly #widened = new Set<Stage>();

  constructor(asked: 'f16' | 'f32') {
    this.#asked = asked;
  }

  of(stage: Stage): 'f16' | 'f32' {
    return this.#widened.has(stage) ? 'f32' : this.#asked;
  }

  /** From now on f32; NonFiniteError where it is f32 already. */
  widen(stage: Stage, layer: string, model: string): PrecisionWarning {
    if (this.of(stage) === 'f32') {
      throw new NonFiniteError(
        `${layer} gives NaN or Infinity in f32: the weights of ${model} are damaged; get them again`,
      );
    }
    this.#widened.add(stage);
    const message = `${layer} leaves the range of f16; the ${stage} stage goes on in f32`;
    return { stage, layer, message };
  }
}
