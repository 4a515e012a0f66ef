import {
  type Blocks,
  type DType,
  format,
  type Target,
  type TensorType,
} from '../../src/engine/kernel.ts';
import { concatReference } from '../../src/kernels/concat.ts';
import type { Activation } from '../../src/kernels/epilogue.ts';
import { groupNormApplyReference } from '../../src/kernels/group-norm-apply.ts';
import { linear, linearReference } from '../../src/kernels/linear.ts';
import { normal } from '../harness/random.ts';
import { groupNormed } from './group-normed.ts';
import { plainValues, storedType } from './in-blocks.ts';
import { CHUNK_NMSE, inDesign, type KernelCase, sumNmse } from './cases.ts';

interface Options {
  readonly weight?: DType;
  /** What the weight lies in. */
  readonly blocks?: Blocks | undefined;
  readonly y?: DType;
  readonly bias?: boolean;
  readonly residual?: DType;
  readonly activation?: Activation;
  readonly gated?: boolean;
  /** x is normalized as it is read. */
  readonly isNormed?: boolean;
  /** x is normalized by its moments, in so many groups. */
  readonly groups?: number;
  /** Channels per entry of y's moments. */
  readonly momentChannels?: number;
  /** Channels of a second x. */
  readonly others?: number;
  /** Rows of x are layer-normalized. */
  readonly rowEps?: number;
  /** Overrides of the target, to reach programs that no adapter at hand selects. */
  readonly target?: Partial<Target>;
  /** A design of the family `alu`. */
  readonly design?: string;
}

export function linearCase(
  x: TensorType,
  columns: number,
  tags: KernelCase['tags'],
  options: Options = {},
): KernelCase {
  const own = x.shape.at(-1)!;
  const { others = 0 } = options;
  const inner = own + others;
  const x2: TensorType | undefined =
    others > 0 ? { dtype: x.dtype, shape: [...x.shape.slice(0, -1), others] } : undefined;
  const dtype = options.y ?? x.dtype;
  const { blocks } = options;
  const weight = storedType({ dtype: options.weight ?? 'f16', shape: [inner, columns] }, blocks);
  const bias: TensorType | undefined =
    options.bias === false ? undefined : { dtype: 'f32', shape: [columns] };
  const residual: TensorType | undefined = options.residual && {
    dtype: options.residual,
    shape: [...x.shape.slice(0, -1), columns],
  };
  const { groups, momentChannels } = options;
  const grouped = groups === undefined ? undefined : groupNormed(x, groups);
  const { activation = 'none', gated = false, isNormed = false, rowEps } = options;
  const gamma: TensorType | undefined =
    rowEps === undefined ? undefined : { dtype: 'f32', shape: [inner] };
  const sums: TensorType | undefined = gamma && { dtype: 'f32', shape: [columns] };
  const stats: TensorType | undefined = isNormed
    ? { dtype: 'f32', shape: [x.shape[0]!, 2, inner] }
    : undefined;
  const beta: TensorType | undefined = isNormed ? { dtype: 'f32', shape: [inner] } : undefined;
  const kernel = (target: Target) =>
    linear(
      { x, x2, stats, beta, ...grouped?.inputs, gamma, columns: sums, weight, bias, residual },
      {
        activation,
        dtype,
        gated,
        ...(rowEps !== undefined && { rowEps }),
        ...grouped?.constants,
        ...(momentChannels && { momentChannels }),
      },
      target,
    );
  return {
    name: `linear ${format(x)}${x2 ? ` + ${others}` : ''}${isNormed ? ' normed' : ''}${groups ? ` normed by ${groups}` : ''}${gamma ? ' rows normed' : ''} · ${format(weight)} → ${dtype}${bias ? ' bias' : ''}${
      activation === 'none' ? '' : ` ${activation}`
    }${gated ? ' gated' : ''}${residual ? ` + ${residual.dtype}` : ''}${momentChannels ? ` + moments of ${momentChannels}` : ''}${options.target ? ` ${JSON.stringify(options.target)}` : ''}${options.design ? ` ${options.design}` : ''}`,
    tags,
    ...((options.design || gamma || grouped || momentChannels) && { families: ['alu'] }),
    inputs: {
      x,
      ...(x2 && { x2 }),
      ...(stats && { stats }),
      ...(beta && { beta }),
      ...grouped?.inputs,
      ...(gamma && { gamma }),
      ...(sums && { columns: sums }),
      weight,
      ...(bias && { bias }),
      ...(residual && { residual }),
    },
    data: (name, type, seed) =>
      grouped?.data(name, type, seed) ??
      normal(
        type.shape.reduce((n, d) => n * d, 1),
        seed,
        // weights scaled as trained ones are, so that sums keep the spread of x
        name === 'weight' ? { std: 1 / Math.sqrt(inner) } : { mean: 0.25 },
      ),
    kernel: (target) => inDesign(options.design, kernel, { ...target, ...options.target }),
    reference: (data) =>
      linearReference(
        {
          x: grouped
            ? grouped.normalized(data, 'none')
            : isNormed
              ? groupNormApplyReference(data as Record<'x' | 'stats' | 'beta', Float32Array>, {})
              : x2
                ? concatReference(
                    { a: data['x'] as Float32Array, b: data['x2'] as Float32Array },
                    { channelsA: own, channelsB: others },
                  )
                : (data['x'] as Float32Array),
          weight: plainValues(data['weight'], columns, blocks),
          gamma: data['gamma'] as Float32Array | undefined,
          columns: data['columns'] as Float32Array | undefined,
          bias: data['bias'] as Float32Array | undefined,
          residual: data['residual'] as Float32Array | undefined,
        },
        { inner, activation, gated, rowEps },
      ),
    ...(options.design?.endsWith('chunk')
      ? { maxNmse: CHUNK_NMSE }
      : dtype === 'f32' && { maxNmse: sumNmse(inner) }),
  };
}

const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape });
const f16 = (...shape: number[]): TensorType => ({ dtype: 'f16', shape });

export const cases: readonly KernelCase[] = [
  // Few combinations of storage and epilogue, shared with conv2d and upsampleConv2d: each is a
  // pipeline, and compiling them is most of the time this sweep takes on CPU adapters.
  linearCase(f32(1, 4), 4, ['edge'], { bias: false, weight: 'f32' }),
  linearCase(f16(1, 4), 4, ['edge']),
  linearCase(f32(77, 20), 36, ['edge']),
  linearCase(f16(2, 13, 36), 20, ['edge'], { residual: 'f16' }),
  linearCase(f32(3, 5, 8), 16, ['edge'], { y: 'f16', residual: 'f32', activation: 'gelu' }),
  linearCase(f16(130, 68), 132, ['edge'], { residual: 'f16' }),
  linearCase(f32(18, 48), 16, ['edge'], { weight: 'f32', bias: false }),
  linearCase(f32(18, 48), 36, ['edge'], { target: { subgroupSize: 0 } }),
  linearCase(f16(18, 48), 36, ['edge'], { target: { subgroupSize: 0 } }),
  ...['tile128x128', 'tile64x64 wide', 'tile64x64 packed', 'tile64x64 chunk'].map((design) =>
    linearCase(f16(2, 131, 68), 180, ['edge'], { residual: 'f16', design }),
  ),
  linearCase(f32(131, 68), 180, ['edge'], { design: 'tile128x64' }),
  linearCase(f16(131, 68), 32, ['edge'], { design: 'tile128x16' }),
  linearCase(f16(131, 68), 4, ['edge'], { design: 'tile128x16' }),
  linearCase(f32(3, 10, 8), 16, ['edge'], { isNormed: true }),
  // tiles with moments that differ in turns and slots: compiling one takes software adapters long
  ...['tile64x64', 'tile128x128'].map((design) =>
    linearCase(f16(2, 131, 64), 180, ['edge'], {
      momentChannels: 10,
      groups: 32,
      residual: 'f16',
      design,
    }),
  ),
  linearCase(f32(2, 131, 20), 16, ['edge'], { momentChannels: 4, groups: 2, design: 'tile128x16' }),
  linearCase(f32(1, 131, 20), 4, ['edge'], { momentChannels: 4, design: 'tile128x4' }),
  linearCase(f32(3, 7, 12), 16, ['edge'], { others: 20 }),
  linearCase(f32(3, 25, 20), 36, ['edge'], { rowEps: 1e-5, bias: false }),
  linearCase(f16(2, 37, 72), 72, ['edge'], { rowEps: 1e-5, gated: true }),
  linearCase(f32(3, 5, 8), 16, ['edge'], { gated: true }),
  linearCase(f16(77, 20), 72, ['edge'], { gated: true }),
  // more rows than one dimension of the grid may have workgroups
  linearCase(f16(66_000, 4), 4, ['edge']),
  linearCase(f32(1, 64), 128, ['real']),
  linearCase(f16(1, 4096, 32), 32, ['real', 'perf'], { residual: 'f16' }),
  linearCase(f16(1, 4096, 48), 48, ['real', 'perf']),
  linearCase(f16(1, 1024, 64), 256, ['real', 'perf']),
  linearCase(f16(1, 1024, 64), 512, ['real', 'perf'], { gated: true }),
  linearCase(f32(1, 1024, 128), 64, ['real', 'perf'], { residual: 'f32' }),
  linearCase(f16(1, 64, 1280), 1280, ['real', 'perf'], { residual: 'f16' }),
];
