import {
  type Blocks,
  type DType,
  format,
  type Target,
  type TensorType,
} from '../../src/engine/kernel.ts';
import { conv2d, type Conv2dConstants, conv2dReference } from '../../src/kernels/conv2d.ts';
import type { Activation } from '../../src/kernels/epilogue.ts';
import { groupNormApplyReference } from '../../src/kernels/group-norm-apply.ts';
import { normal } from '../harness/random.ts';
import { groupNormed } from './group-normed.ts';
import { plainValues, storedType } from './in-blocks.ts';
import { inDesign, type KernelCase, sumNmse } from './cases.ts';

interface Options extends Conv2dConstants {
  /** Side of the kernel. @default 3 */
  readonly size?: 1 | 3;
  readonly weight?: DType;
  /** What the weight lies in. */
  readonly blocks?: Blocks | undefined;
  readonly bias?: boolean;
  /** Rows of the shift: 1 or the batch. */
  readonly shift?: number;
  readonly residual?: DType;
  /** x is normalized as it is read, then activated. */
  readonly norm?: Activation;
  /** That norm takes moments of x, in so many groups. */
  readonly groups?: number;
  /** Channels of a second x, with groups. */
  readonly others?: number;
  /** Overrides of the target, to reach programs that no adapter at hand selects. */
  readonly target?: Partial<Target>;
  /** Of CPU programs. */
  readonly design?: string;
}

/** As of a ResNet block, of Downsample2D in the UNet, and of the VAE encoder's Downsample2D. */
const SAME = { top: 1, left: 1, bottom: 1, right: 1 };
const BOTTOM_RIGHT = { top: 0, left: 0, bottom: 1, right: 1 };

export function conv2dCase(
  x: TensorType,
  channels: number,
  tags: KernelCase['tags'],
  options: Options = {},
): KernelCase {
  const { size = 3, stride = 1, activation = 'none', dtype = x.dtype } = options;
  const padding = options.padding ?? (size === 3 ? SAME : undefined);
  const { norm, groups, others = 0 } = options;
  const grouped = groups === undefined ? undefined : groupNormed(x, groups, others);
  const constants = {
    stride,
    activation,
    dtype,
    ...(padding && { padding }),
    ...(norm && { normActivation: norm }),
    ...grouped?.constants,
    ...(options.momentChannels && { momentChannels: options.momentChannels }),
  };
  const [batch, height0, width0, own] = x.shape;
  const ci = own! + others;
  const x2: TensorType | undefined =
    others > 0 ? { dtype: x.dtype, shape: [batch!, height0!, width0!, others] } : undefined;
  const { blocks } = options;
  const plain: TensorType = {
    dtype: options.weight ?? 'f16',
    shape: [size, size, ci, channels],
  };
  const weight = storedType(plain, blocks);
  const bias: TensorType | undefined =
    options.bias === false ? undefined : { dtype: 'f32', shape: [channels] };
  const shift: TensorType | undefined = options.shift
    ? { dtype: 'f32', shape: [options.shift, channels] }
    : undefined;
  const out = (side: number, pads: number) => Math.floor((side + pads - size) / stride) + 1;
  const [height, width] = [
    out(x.shape[1]!, (padding?.top ?? 0) + (padding?.bottom ?? 0)),
    out(x.shape[2]!, (padding?.left ?? 0) + (padding?.right ?? 0)),
  ];
  const residual: TensorType | undefined = options.residual && {
    dtype: options.residual,
    shape: [batch!, height, width, channels],
  };
  const hasStats = norm !== undefined && !grouped;
  const stats: TensorType | undefined = hasStats
    ? { dtype: 'f32', shape: [batch!, 2, ci] }
    : undefined;
  const beta: TensorType | undefined = hasStats ? { dtype: 'f32', shape: [ci] } : undefined;
  const inner = size * size * ci;
  return {
    name: `conv2d ${format(x)}${x2 ? ` + ${others}` : ''}${norm ? ` norm ${norm}` : ''}${groups ? ` by ${groups}` : ''} · ${format(weight)} → ${dtype}${bias ? ' bias' : ''}${
      shift ? ` shift ${shift.shape[0]}` : ''
    }${stride === 1 ? '' : ' stride 2'}${padding === BOTTOM_RIGHT ? ' pad bottom right' : ''}${
      activation === 'none' ? '' : ` ${activation}`
    }${residual ? ` + ${residual.dtype}` : ''}${options.momentChannels ? ` + moments of ${options.momentChannels}` : ''}${options.target ? ` ${JSON.stringify(options.target)}` : ''}${options.design ? ` ${options.design}` : ''}`,
    tags,
    ...(options.design && { families: ['cpu'] }),
    ...((grouped || options.momentChannels) && { families: ['alu'] }),
    inputs: {
      x,
      ...(x2 && { x2 }),
      ...(stats && { stats }),
      ...(beta && { beta }),
      ...grouped?.inputs,
      weight,
      ...(bias && { bias }),
      ...(shift && { shift }),
      ...(residual && { residual }),
    },
    data: (name, type, seed) =>
      grouped?.data(name, type, seed) ??
      normal(
        type.shape.reduce((n, d) => n * d, 1),
        seed,
        name === 'weight' ? { std: 1 / Math.sqrt(inner) } : { mean: 0.25 },
      ),
    kernel: (target) =>
      inDesign(
        options.design,
        (t) =>
          conv2d(
            { x, x2, stats, beta, ...grouped?.inputs, weight, bias, shift, residual },
            constants,
            t,
          ),
        { ...target, ...options.target },
      ),
    reference: (data) =>
      conv2dReference(
        {
          x: grouped
            ? grouped.normalized(data, norm ?? 'none')
            : norm
              ? groupNormApplyReference(data as Record<'x' | 'stats' | 'beta', Float32Array>, {
                  activation: norm,
                })
              : (data['x'] as Float32Array),
          weight: plainValues(data['weight'], channels, blocks),
          bias: data['bias'] as Float32Array | undefined,
          shift: data['shift'] as Float32Array | undefined,
          residual: data['residual'] as Float32Array | undefined,
        },
        { x: [...x.shape.slice(0, -1), ci], weight: plain.shape },
        constants,
      ),
    ...(dtype === 'f32' && { maxNmse: sumNmse(inner) }),
  };
}

const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape });
const f16 = (...shape: number[]): TensorType => ({ dtype: 'f16', shape });

export const cases: readonly KernelCase[] = [
  conv2dCase(f32(1, 1, 1, 4), 4, ['edge'], { bias: false, weight: 'f32' }),
  conv2dCase(f16(1, 1, 1, 4), 4, ['edge']),
  conv2dCase(f32(1, 5, 7, 20), 36, ['edge']),
  conv2dCase(f16(2, 13, 18, 8), 36, ['edge'], { dtype: 'f32', shift: 2, residual: 'f16' }),
  conv2dCase(f16(2, 5, 7, 20), 36, ['edge'], { dtype: 'f32', shift: 1, residual: 'f16' }),
  conv2dCase(f32(2, 5, 7, 4), 68, ['edge'], {
    dtype: 'f16',
    residual: 'f32',
    weight: 'f32',
    activation: 'silu',
  }),
  conv2dCase(f16(1, 13, 18, 36), 16, ['edge'], { size: 1, residual: 'f16' }),
  conv2dCase(f32(2, 13, 18, 8), 16, ['edge'], { stride: 2 }),
  conv2dCase(f16(2, 12, 8, 8), 16, ['edge'], { stride: 2 }),
  conv2dCase(f16(1, 13, 18, 8), 16, ['edge'], { stride: 2, padding: BOTTOM_RIGHT }),
  conv2dCase(f32(2, 12, 7, 8), 20, ['edge'], { stride: 2, padding: BOTTOM_RIGHT }),
  conv2dCase(f32(2, 5, 7, 20), 36, ['edge'], { size: 1, stride: 2 }),
  conv2dCase(f32(1, 9, 11, 12), 24, ['edge'], {
    padding: { top: 0, left: 0, bottom: 0, right: 0 },
  }),
  conv2dCase(f32(2, 5, 7, 20), 36, ['edge'], { target: { subgroupSize: 0 } }),
  conv2dCase(f16(1, 6, 9, 8), 8, ['edge'], { target: { subgroupSize: 0 } }),
  // the blocks of CPU programs, ragged both ways
  ...['2x4', '2x8', '2x2', '8x1'].flatMap((design) => [
    conv2dCase(f32(2, 13, 18, 8), 36, ['edge'], { design }),
    conv2dCase(f16(1, 7, 9, 20), 20, ['edge'], { design }),
  ]),
  conv2dCase(f32(2, 5, 7, 20), 36, ['edge'], { norm: 'silu' }),
  conv2dCase(f16(2, 13, 18, 8), 36, ['edge'], { norm: 'silu', residual: 'f16' }),
  // moments out and in: ragged tiles, runs of channels shorter and longer than a vector, several images
  conv2dCase(f16(2, 13, 18, 8), 80, ['edge'], {
    momentChannels: 20,
    norm: 'silu',
    groups: 4,
    shift: 2,
  }),
  conv2dCase(f32(2, 5, 7, 20), 36, ['edge'], { momentChannels: 18, norm: 'silu', groups: 4 }),
  conv2dCase(f32(1, 13, 7, 32), 16, ['edge'], {
    momentChannels: 1,
    norm: 'none',
    groups: 32,
    residual: 'f32',
  }),
  // groups of 6 channels: the fourth is of both tensors, the last ones are of the second alone
  conv2dCase(f32(2, 5, 7, 20), 36, ['edge'], { norm: 'silu', groups: 8, others: 28 }),
  conv2dCase(f16(1, 128, 128, 4), 16, ['real', 'perf']),
  conv2dCase(f32(1, 64, 64, 16), 4, ['real', 'perf']),
  conv2dCase(f16(1, 128, 128, 16), 32, ['real', 'perf'], { shift: 1 }),
  conv2dCase(f16(1, 64, 64, 32), 32, ['real', 'perf'], { residual: 'f16' }),
  conv2dCase(f16(1, 64, 64, 96), 48, ['real', 'perf']),
  conv2dCase(f32(1, 32, 32, 64), 64, ['real', 'perf'], { residual: 'f32' }),
  conv2dCase(f16(1, 64, 64, 96), 48, ['real', 'perf'], { size: 1 }),
  conv2dCase(f16(1, 129, 129, 16), 16, ['real', 'perf'], { stride: 2, padding: BOTTOM_RIGHT }),
];
