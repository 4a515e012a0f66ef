/**
 * The epilogue of a product that is finished by a kernel of its own (gemm-split.ts, winograd-output.ts):
 *
 *   y = act(sum + bias[c] + shift[n, c]) + residual
 *
 * WGSL: `start(image, c)`, what the sum of an image's c-th four channels starts from, and
 * `finish(i, sum)`, which stores vector i of y and gives what it stored. Reads `params.shift_stride`.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { expectShape, type Params, type Target, type TensorType, u32 } from '../engine/kernel.ts';
import { type Activation, activationWgsl } from './epilogue.ts';
import type { EpilogueInputs } from './gemm-program.ts';
import { readWgsl, storedWgsl, writeWgsl } from './storage.ts';

/** For inputs and y of the bindings 2 to 5. */
export interface ProductEpilogue {
  readonly variant: string;
  readonly bindings: Readonly<Record<string, number>>;
  readonly output: { readonly binding: number; readonly type: TensorType };
  readonly params: Params;
  /** Those that are there, y too. */
  readonly used: readonly TensorType[];
  readonly wgsl: string;
}

/** y is [N, ..., C]. ShapeError where an input does not fit it. */
export function productEpilogue(
  { bias, shift, residual }: EpilogueInputs,
  { y, activation, target }: { y: TensorType; activation: Activation; target: Target },
): ProductEpilogue {
  const channels = y.shape.at(-1) ?? 0;
  const [images = 1] = y.shape;
  if (bias) expectShape('bias', bias, [channels]);
  if (shift) expectShape('shift', shift, [shift.shape[0] === 1 ? 1 : images, channels]);
  if (residual) expectShape('residual', residual, y.shape);
  return {
    variant: `${bias ? ' bias' : ''}${shift ? ' shift' : ''}${
      activation === 'none' ? '' : ` ${activation}`
    }${residual ? ` + ${residual.dtype}` : ''}`,
    bindings: {
      ...(bias && { bias: 2 }),
      ...(shift && { shift: 3 }),
      ...(residual && { residual: 4 }),
    },
    output: { binding: 5, type: y },
    params: {
      // Vectors between the shifts of two images; 0 where all images share one.
      shift_stride: u32(shift && shift.shape[0] !== 1 ? channels / 4 : 0),
    },
    used: [bias, shift, residual, y].filter((type) => type !== undefined),
    wgsl: wgsl`
#if ${bias !== undefined}
${readWgsl('bias', 2, 'f32', target)}
#endif
#if ${shift !== undefined}
${readWgsl('shift', 3, 'f32', target)}
#endif
#if ${residual !== undefined}
${readWgsl('residual', 4, residual?.dtype ?? 'f32', target)}
#endif
${writeWgsl('y', 5, y.dtype, target)}
${storedWgsl('y', y.dtype, target)}
${activationWgsl(activation)}

fn start(image: u32, c: u32) -> vec4f {
  var v = vec4f();
#if ${bias !== undefined}
  v += load_bias(c);
#endif
#if ${shift !== undefined}
  v += load_shift(image * params.shift_stride + c);
#endif
  return v;
}

fn finish(i: u32, sum: vec4f) -> vec4f {
  var v = activate(sum);
#if ${residual !== undefined}
  v += load_residual(i);
#endif
  store_y(i, v);
  return stored_y(v);
}
`,
  };
}
