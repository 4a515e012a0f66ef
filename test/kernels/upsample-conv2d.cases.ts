import {
  type Blocks,
  type DType,
  format,
  type Target,
  type TensorType,
} from '../../src/engine/kernel.ts';
import {
  upsampleConv2d,
  type UpsampleConv2dConstants,
  upsampleConv2dReference,
} from '../../src/kernels/upsample-conv2d.ts';
import { normal } from '../harness/random.ts';
import { plainValues, storedType } from './in-blocks.ts';
import { type KernelCase, sumNmse } from './cases.ts';

interface Options extends UpsampleConv2dConstants {
  readonly weight?: DType;
  /** What the weight lies in. */
  readonly blocks?: Blocks | undefined;
  readonly bias?: boolean;
  /** Overrides of the target, to reach programs that no adapter at hand selects. */
  readonly target?: Partial<Target>;
}

export function upsampleConv2dCase(
  x: TensorType,
  channels: number,
  tags: KernelCase['tags'],
  options: Options = {},
): KernelCase {
  const { activation = 'none', dtype = x.dtype, momentChannels } = options;
  const ci = x.shape[3]!;
  const { blocks } = options;
  const plain: TensorType = {
    dtype: options.weight ?? 'f16',
    shape: [2, 2, 2, 2, ci, channels],
  };
  const weight = storedType(plain, blocks);
  const bias: TensorType | undefined =
    options.bias === false ? undefined : { dtype: 'f32', shape: [channels] };
  return {
    name: `upsampleConv2d ${format(x)} · ${weight.dtype} ${channels}${blocks ? ' in blocks' : ''} → ${dtype}${bias ? ' bias' : ''}${
      activation === 'none' ? '' : ` ${activation}`
    }${momentChannels ? ` + moments of ${momentChannels}` : ''}${options.target ? ` ${JSON.stringify(options.target)}` : ''}`,
    tags,
    ...(momentChannels && { families: ['alu'] }),
    inputs: { x, weight, ...(bias && { bias }) },
    data: (name, { shape }, seed) =>
      normal(
        shape.reduce((n, d) => n * d, 1),
        seed,
        name === 'weight' ? { std: 1 / Math.sqrt(4 * ci) } : { mean: 0.25 },
      ),
    kernel: (target) =>
      upsampleConv2d(
        { x, weight, bias },
        { activation, dtype, ...(momentChannels && { momentChannels }) },
        { ...target, ...options.target },
      ),
    reference: (data) =>
      upsampleConv2dReference(
        {
          x: data['x'] as Float32Array,
          weight: plainValues(data['weight'], channels, blocks),
          bias: data['bias'] as Float32Array | undefined,
        },
        { x: x.shape, weight: plain.shape },
        { activation },
      ),
    ...(dtype === 'f32' && { maxNmse: sumNmse(4 * ci) }),
  };
}

const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape });
const f16 = (...shape: number[]): TensorType => ({ dtype: 'f16', shape });

export const cases: readonly KernelCase[] = [
  upsampleConv2dCase(f32(1, 1, 1, 4), 4, ['edge'], { bias: false, weight: 'f32' }),
  upsampleConv2dCase(f16(1, 1, 1, 4), 4, ['edge']),
  upsampleConv2dCase(f32(2, 5, 7, 20), 36, ['edge']),
  upsampleConv2dCase(f16(2, 13, 18, 8), 20, ['edge']),
  upsampleConv2dCase(f32(1, 5, 7, 12), 68, ['edge'], {
    weight: 'f32',
    bias: false,
  }),
  upsampleConv2dCase(f32(1, 5, 7, 12), 16, ['edge'], { target: { subgroupSize: 0 } }),
  upsampleConv2dCase(f16(2, 13, 18, 8), 80, ['edge'], { momentChannels: 40 }),
  upsampleConv2dCase(f16(1, 64, 64, 32), 32, ['real', 'perf']),
  upsampleConv2dCase(f32(1, 32, 32, 48), 48, ['real', 'perf']),
];
