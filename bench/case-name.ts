/**
 * How work is called in benches, whatever its kernels are called: from the op, its tensors and those
 * constants that time depends on. Two runs compare what has the same name.
 *
 *   id    conv2d x f16 [1,64,64,320], weight f16 [3,3,320,640], bias, shift, stride 2
 *   size  4096x512x4608    products, and parts of them: rows, columns, terms
 *         4096x77x64 h5    attention: queries, keys, channels and number of heads
 *         1x64x64x320      anything else: the output
 */
import { format, sizeOf, type TensorType } from '../src/engine/kernel.ts';
import type { Product } from '../src/kernels/product.ts';

/** What identifies work: a graph's node without its data. */
export interface Work {
  readonly op: string;
  readonly inputs: Readonly<Record<string, TensorType>>;
  readonly constants: Readonly<Record<string, unknown>>;
  readonly output: TensorType;
  /** Inputs that are the same tensor as an earlier one, by the name of that. */
  readonly aliases?: Readonly<Record<string, string>> | undefined;
}

/** Values only, which go into uniforms: no time depends on them. */
const VALUES = new Set(
  'alpha beta gamma min max scale eps normEps rowEps timestep stage freqShift flipSinToCos'.split(
    ' ',
  ),
);

/** What most nodes have and nobody needs to read. */
const isUsual = (name: string, value: unknown, { inputs }: Work): boolean =>
  value === undefined ||
  value === false ||
  (name === 'activation' && value === 'none') ||
  (name === 'stride' && value === 1) ||
  (name === 'dtype' && value === Object.values(inputs)[0]?.dtype) ||
  (name === 'padding' && Object.values(value as object).every((side) => side === 1));

const printed = (value: unknown): string =>
  typeof value === 'object' && value !== null ? Object.values(value).join(' ') : String(value);

/** A vector whose length follows from the other shapes; gamma's does not from moments of whole groups. */
const isUsualVector = ({ shape }: TensorType, { op, inputs }: Work): boolean =>
  shape.length === 1 &&
  (op !== 'groupNormFinalize' || shape[0] === inputs['partial']?.shape.at(-1));

/** Storage, shapes and options. */
export function variantOf(work: Work): string {
  const tensors = Object.entries(work.inputs).map(([name, type]) =>
    isUsualVector(type, work) ? name : `${name} ${format(type)}`,
  );
  const parts = [...tensors, ...optionsOf(work.constants, work)];
  return parts.length > 0 ? parts.join(', ') : format(work.output);
}

/** A part of a product has that product's options too. */
const optionsOf = (constants: Work['constants'], work: Work): string[] =>
  Object.entries(constants).flatMap(([name, value]) => {
    if (name === 'product') {
      const product = value as Product;
      return [`of ${product.op}`, ...optionsOf({ ...product.constants }, work)];
    }
    return VALUES.has(name) || isUsual(name, value, work) ? [] : [`${name} ${printed(value)}`];
  });

export const idOf = (work: Work): string => `${work.op} ${variantOf(work)}`;

/** Rows, columns and terms of a product; undefined of other work. */
export function productOf(work: Work): [m: number, n: number, k: number] | undefined {
  const { op, inputs, constants, output } = work;
  const { weight } = inputs;
  if (op === 'gemmPartial') {
    const shape = output.shape.slice(1);
    const { op: whole } = constants['product'] as Product;
    return productOf({ ...work, op: whole, output: { ...output, shape } });
  }
  if (!weight) return undefined;
  // Gated products store half of their columns, and channels are padded.
  const columns = weight.shape.at(-1) ?? 1;
  const rows = sizeOf(output.shape.slice(0, -1));
  if (op === 'linear') return [rows, columns, weight.shape[0] ?? 1];
  if (op === 'conv2d') return [rows, columns, sizeOf(weight.shape.slice(0, 3))];
  // Counted as the 3x3 convolution that it stands for.
  if (op === 'upsampleConv2d') return [rows, columns, 9 * (weight.shape.at(-2) ?? 1)];
  return undefined;
}

export function sizeTextOf(work: Work): string {
  const { op, inputs, constants, output } = work;
  const product = productOf(work);
  if (product) return product.join('x');
  const { q, k } = inputs;
  const heads = Number(constants['heads'] ?? 0);
  if (op === 'attention' && q && k && heads > 0) {
    const channels = Number(constants['channels'] ?? q.shape.at(-1)) / heads;
    return `${q.shape[1]}x${k.shape[1]}x${channels} h${heads}`;
  }
  return output.shape.join('x');
}
