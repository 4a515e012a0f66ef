/**
 * Work made smaller for adapters that would take minutes: fewer rows, lines of pixels or queries of
 * it; width, channels, terms and keys stay, so it is the same class of shapes. Kernels of memory-bound
 * ops are never large enough to need it.
 */
import type { TensorType } from '../src/engine/kernel.ts';
import type { Work } from './case-name.ts';

export interface Cut extends Work {
  /** `lines 16 of 256` */
  readonly words: string;
}

/** What the second axis of the output holds, by op; ops that are not here cannot be cut. */
const AXIS: Readonly<Record<string, { readonly name: string; readonly from: string }>> = {
  linear: { name: 'rows', from: 'x' },
  conv2d: { name: 'lines', from: 'x' },
  upsampleConv2d: { name: 'lines', from: 'x' },
  attention: { name: 'queries', from: 'q' },
};

/** Whole tiles of any kernel, as far as they go. */
const UNIT = { rows: 16, lines: 4, queries: 16 } as const;

const withLength = ({ dtype, shape }: TensorType, length: number): TensorType => ({
  dtype,
  shape: shape.map((d, axis) => (axis === 1 ? length : d)),
});

/** At most `share` of the work, or as little as can be; undefined where nothing can be cut. */
export function cutTo(work: Work, share: number): Cut | undefined {
  const { op, inputs, constants, output } = work;
  const axis = AXIS[op];
  const source = axis && inputs[axis.from];
  const [, from = 0] = source?.shape ?? [];
  const [, to = 0] = output.shape;
  // Queries of causal attention are its keys too.
  if (!source || source.shape.length < 3 || constants['causal'] === true) return undefined;
  // Padding keeps lines in proportion, or the sizes would not follow from each other.
  const ratio = from / to;
  const { name } = axis;
  const unit = UNIT[name as keyof typeof UNIT];
  const length = Math.max(unit, Math.floor((to * share) / unit) * unit);
  if (length >= to || !Number.isInteger(length * ratio)) return undefined;
  const cut: Record<string, TensorType> = {
    ...inputs,
    [axis.from]: withLength(source, length * ratio),
  };
  if (inputs['residual']) cut['residual'] = withLength(inputs['residual'], length);
  return {
    op,
    inputs: cut,
    constants,
    output: withLength(output, length),
    words: `${name} ${length} of ${to}`,
  };
}
