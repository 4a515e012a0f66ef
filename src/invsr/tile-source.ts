/**
 * The networks as a frame around them sees them: batches of tiles in, batches of patches out.
 *
 *   tiles     [B, P, P, 4] f32 in [0, 1]      R, G, B, 0; every value rounded to f16
 *   patches   [B, 4P, 4P, 4] f32 in [0, 1]    one per batch, in the order of the batches
 *
 * Frames cut, blend and write; a source computes. It pulls batches when it wants them: one at a
 * time, or many before the first patch comes, where only one network fits in memory at once.
 */
export interface TileBatch {
  readonly tiles: Float32Array<ArrayBuffer>;
  /** B. */
  readonly count: number;
  /**
   * Where each tile's first latent lies in the whole image, counted from the image's own first
   * pixel: the key of its noise. Modulo 2^32, since padding on top or left lies below zero.
   */
  readonly latentOrigins: readonly { readonly y: number; readonly x: number }[];
}

/** Reported while tiles go through the networks; `load` and `compile` only where there is something to do. */
export interface TileProgress {
  /**
   * `load` counts bytes of weights, `compile` pipelines (the two overlap), `tiles` tiles with the
   * fraction of those being computed.
   */
  readonly stage: 'load' | 'compile' | 'tiles';
  readonly done: number;
  readonly total: number;
}

export interface PatchOptions {
  /** Tiles in all batches together: the total of stage `tiles`. */
  readonly count: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: TileProgress) => void) | undefined;
}

/** Ends early, and frees what it holds, where the caller stops asking. */
export type PatchSource = (
  batches: AsyncIterable<TileBatch>,
  options: PatchOptions,
) => AsyncIterable<Float32Array>;
