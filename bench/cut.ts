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

/** The input that is as long as the output, by op; ops that are not here cannot be cut. */
const SOURCE: Readonly<Record<string, string>> = {
  linear: 'x',
  conv2d: 'x',
  upsampleConv2d: 'x',
  attention: 'q',
};

/** Whole tiles of any kernel, as far as they go. */
const UNIT = { rows: 64, lines: 4, queries: 64 } as const;

const withLength = ({ dtype, shape }: TensorType, length: number): TensorType => ({
  dtype,
  shape: shape.map((d, axis) => (axis === 1 ? length : d)),
});

/** At most `share` of the work, or as little as can be; undefined where nothing can be cut. */
export function cutTo(work: Work, share: number): Cut | undefined {
  const { op, inputs, constants, output, aliases = {} } = work;
  const input = SOURCE[op];
  const source = input === undefined ? undefined : inputs[input];
  const [, from = 0] = source?.shape ?? [];
  const [, to = 0] = output.shape;
  // Queries of causal attention are its keys too.
  if (input === undefined || !source || source.shape.length < 3 || constants['causal'] === true)
    return undefined;
  // Padding keeps lines in proportion, or the sizes would not follow from each other.
  const ratio = from / to;
  const name = op === 'attention' ? 'queries' : output.shape.length === 4 ? 'lines' : 'rows';
  // Every second line is a line of its phase.
  const unit = UNIT[name] * (op === 'upsampleConv2d' ? 2 : 1);
  const length = Math.max(unit, Math.floor((to * share) / unit) * unit);
  if (length >= to || !Number.isInteger(length * ratio)) return undefined;
  const cut: Record<string, TensorType> = {
    ...inputs,
    [input]: withLength(source, length * ratio),
  };
  if (inputs['residual']) cut['residual'] = withLength(inputs['residual'], length);
  if (inputs['x2']) cut['x2'] = withLength(inputs['x2'], length * ratio);
  return {
    op,
    inputs: cut,
    constants,
    output: withLength(output, length),
    aliases: aliasesWithout(input, aliases),
    words: `${name} ${length} of ${to}`,
  };
}

/** The cut input is a tensor of its own; what was the same as it is the same as each other. */
function aliasesWithout(
  input: string,
  aliases: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const others = Object.entries(aliases).filter(([name]) => name !== input);
  const [first] = others.find(([, of]) => of === input) ?? [];
  return Object.fromEntries(
    others.flatMap(([name, of]) => {
      if (of !== input) return [[name, of]];
      return name === first || first === undefined ? [] : [[name, first]];
    }),
  );
}
