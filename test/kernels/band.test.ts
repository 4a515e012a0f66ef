/** Graphs in bands give the bytes of the same graphs whole: every op with bands, on every adapter. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createContext, type EngineContext } from '../../src/engine/context.ts';
import { byteLength, type DType, type Shape, sizeOf } from '../../src/engine/kernel.ts';
import type { Plan } from '../../src/engine/plan.ts';
import { readBuffer } from '../../src/engine/readback.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import type { Graph, Tensor } from '../../src/graph/graph.ts';
import { lower } from '../../src/graph/lower.ts';
import { BOTTOM_RIGHT } from '../../src/invsr/blocks.ts';
import type { Padding } from '../../src/kernels/conv2d.ts';
import { groupNormChunks } from '../../src/kernels/moments.ts';
import { adapterNames, openTestDevice, type TestDevice } from '../harness/device.ts';
import { toF16Bits } from '../harness/half.ts';
import { toSingle } from '../../src/weights/half.ts';
import { normal } from '../harness/random.ts';
import { openExecutor } from '../harness/plans.ts';

const LIMIT = 64 * 1024;
const PADDING = { top: 1, left: 1, bottom: 1, right: 1 };

/** A graph under construction whose inputs are all external: x0, x1, … */
class Sketch {
  readonly g = new GraphBuilder({ precision: 'f32' });
  readonly dtype: DType;
  #count = 0;

  constructor(dtype: DType) {
    this.dtype = dtype;
  }

  input(shape: Shape, dtype: DType = this.dtype): Tensor {
    return this.g.external(`x${this.#count++}`, { dtype, shape });
  }

  vector(...shape: number[]): Tensor {
    return this.input(shape, 'f32');
  }

  conv(
    x: Tensor,
    channels: number,
    {
      stride = 1,
      padding = PADDING,
      residual,
      shift = 0,
    }: { stride?: 1 | 2; padding?: Padding; residual?: Tensor | 'external'; shift?: number } = {},
  ): Tensor {
    const [n = 0, h = 0, w = 0, ci = 0] = x.shape;
    const size = (side: number, pads: number): number => Math.floor((side + pads - 3) / stride) + 1;
    const height = size(h, padding.top + padding.bottom);
    const shape = [n, height, size(w, padding.left + padding.right), channels];
    return this.g.emit(
      'conv2d',
      'conv',
      {
        x,
        weight: this.input([3, 3, ci, channels]),
        bias: this.vector(channels),
        shift: shift > 0 ? this.vector(shift, channels) : undefined,
        residual: residual === 'external' ? this.input(shape) : residual,
      },
      { stride, padding, activation: 'silu' },
      { dtype: this.dtype, shape },
    );
  }

  upsampleConv(x: Tensor, channels: number): Tensor {
    const [n = 0, h = 0, w = 0, ci = 0] = x.shape;
    const inputs = {
      x,
      weight: this.input([2, 2, 2, 2, ci, channels]),
      bias: this.vector(channels),
    };
    const type = { dtype: this.dtype, shape: [n, 2 * h, 2 * w, channels] };
    return this.g.emit('upsampleConv2d', 'up', inputs, {}, type);
  }

  partial(x: Tensor): Tensor {
    const [n = 0, h = 0, w = 0, c = 0] = x.shape;
    const shape = [n, groupNormChunks(h * w, c).chunks, 3, c];
    return this.g.emit('groupNormPartial', 'partial', { x }, {}, { dtype: 'f32', shape });
  }

  norm(x: Tensor): Tensor {
    const [n = 0, , , c = 0] = x.shape;
    const stats = this.g.emit(
      'groupNormFinalize',
      'finalize',
      { partial: this.partial(x), gamma: this.vector(c) },
      { groups: 4, eps: 1e-5 },
      { dtype: 'f32', shape: [n, 2, c] },
    );
    return this.apply(x, stats);
  }

  apply(x: Tensor, stats: Tensor): Tensor {
    const beta = this.vector(x.shape.at(-1) ?? 0);
    return this.g.emit('groupNormApply', 'apply', { x, stats, beta }, { activation: 'silu' }, x);
  }

  linear(x: Tensor, channels: number, residual?: Tensor): Tensor {
    const weight = this.input([x.shape.at(-1) ?? 0, channels]);
    const shape = [...x.shape.slice(0, -1), channels];
    const inputs = { x, weight, bias: this.vector(channels), residual };
    return this.g.emit('linear', 'linear', inputs, {}, { dtype: this.dtype, shape });
  }
}

/** Each makes the tensor to compare. Sizes: a few times LIMIT in f16. */
const CASES: Readonly<Record<string, (s: Sketch) => Tensor>> = {
  'conv2d of odd size': (s) => s.conv(s.input([1, 75, 37, 16]), 32),
  'conv2d, batch 2, residual, a shift each': (s) =>
    s.conv(s.input([2, 61, 24, 16]), 64, { residual: 'external', shift: 2 }),
  'conv2d, batch 2, one shift': (s) => s.conv(s.input([2, 61, 24, 16]), 64, { shift: 1 }),
  'conv2d, stride 2': (s) => s.conv(s.input([1, 61, 42, 32]), 32, { stride: 2 }),
  'conv2d, stride 2, padded at the bottom and the right': (s) =>
    s.conv(s.input([2, 64, 48, 32]), 32, { stride: 2, padding: BOTTOM_RIGHT }),
  'conv2d without padding': (s) =>
    s.conv(s.input([1, 45, 37, 32]), 32, { padding: { top: 0, left: 0, bottom: 0, right: 0 } }),
  upsampleConv2d: (s) => s.upsampleConv(s.input([1, 33, 19, 32]), 32),
  'upsampleConv2d, batch 2': (s) => s.upsampleConv(s.input([2, 20, 16, 32]), 32),
  groupNormPartial: (s) => s.partial(s.input([1, 61, 47, 32])),
  'groupNormPartial, batch 2': (s) => s.partial(s.input([2, 64, 32, 32])),
  groupNormApply: (s) => s.apply(s.input([1, 61, 47, 32]), s.vector(1, 2, 32)),
  'groupNormApply, batch 2': (s) => s.apply(s.input([2, 40, 48, 32]), s.vector(2, 2, 32)),
  'affine of two': (s) => {
    const shape = [1, 61, 47, 32];
    const inputs = { a: s.input(shape), b: s.input(shape) };
    return s.g.affine('affine', inputs, { alpha: 0.7, beta: 0.3, gamma: 0.1, max: 0.5 });
  },
  activation: (s) => s.g.activation('act', s.input([1, 61, 47, 32]), 'gelu'),
  concat: (s) => s.g.concatChannels('concat', s.input([1, 61, 47, 12]), s.input([1, 61, 47, 24])),
  'linear over tokens, residual': (s) => {
    const x = s.input([1, 2311, 32]);
    return s.linear(x, 48, s.input([1, 2311, 48]));
  },
  'linear over pixels, batch 2': (s) => s.linear(s.input([2, 48, 32, 32]), 64),
  geglu: (s) => s.g.geglu('geglu', s.input([1, 1531, 96])),
  layerNorm: (s) => {
    const inputs = { x: s.input([1, 1531, 64]), gamma: s.vector(64), beta: s.vector(64) };
    return s.g.emit('layerNorm', 'norm', inputs, { eps: 1e-5 }, inputs.x);
  },
  'attention, batch 2': (s) => {
    const [k, v] = [s.input([2, 64, 64]), s.input([2, 64, 64])];
    return s.g.attention('attention', { q: s.input([2, 1040, 64]), k, v }, { heads: 2 });
  },
  'a strip with parts, rows from the neighbours and a shortcut': (s) => {
    const x = s.upsampleConv(s.input([1, 24, 32, 16]), 32); // [1, 48, 64, 32]
    const h = s.conv(s.norm(x), 16, { shift: 1 });
    const y = s.conv(s.norm(h), 16);
    return s.linear(s.g.affine('sum', { a: y, b: s.linear(x, 16) }, { alpha: 1, beta: 1 }), 32);
  },
  'a strip with parts, odd size': (s) => {
    const h = s.conv(s.input([1, 93, 37, 16]), 32);
    return s.conv(s.norm(s.conv(s.norm(h), 32)), 32);
  },
  'a strip with parts, batch 2': (s) => {
    const h = s.conv(s.input([2, 64, 32, 16]), 32);
    return s.conv(s.norm(s.conv(s.norm(h), 32)), 32);
  },
  'parts with the rows below that a downsampling convolution reads': (s) => {
    const x = s.conv(s.input([1, 64, 64, 16]), 32);
    const h = s.conv(s.norm(x), 32, { residual: x });
    return s.conv(s.norm(s.conv(h, 32, { stride: 2, padding: BOTTOM_RIGHT })), 32);
  },
  'parts with the rows around that an upsampling convolution reads': (s) => {
    const x = s.conv(s.input([1, 48, 40, 16]), 32);
    const h = s.conv(s.norm(x), 32, { residual: x });
    return s.conv(s.norm(s.upsampleConv(h, 16)), 32);
  },
  'parts around which two convolutions read, batch 2': (s) => {
    const x = s.conv(s.input([2, 44, 32, 16]), 32);
    const h = s.conv(s.norm(x), 32, { residual: x });
    const down = s.conv(h, 32, { stride: 2 });
    return s.conv(s.g.concatChannels('skip', s.conv(h, 32, { stride: 2 }), down), 16);
  },
  'a feed-forward strip': (s) => {
    const x = s.input([1, 1031, 32]);
    return s.linear(s.g.geglu('ff', s.linear(x, 256)), 32, x);
  },
};

/**
 * GPUs sum an image's statistics in another order than those of an image in bands, in one kernel or in
 * the product before, so the last bits of mean and deviation differ: some units in the last place of what
 * is normalized with them.
 */
function expectClose(found: Uint8Array, expected: Uint8Array, dtype: DType): void {
  const valuesOf = ({ buffer, byteLength: size }: Uint8Array): Float32Array =>
    dtype === 'f16'
      ? toSingle(new Uint16Array(buffer as ArrayBuffer, 0, size / 2))
      : new Float32Array(buffer as ArrayBuffer, 0, size / 4);
  const values = valuesOf(expected);
  const largest = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  const error = valuesOf(found).reduce((most, v, i) => Math.max(most, Math.abs(v - values[i]!)), 0);
  expect(error / largest).toBeLessThan(4 * (dtype === 'f16' ? 2 ** -11 : 2 ** -21));
}

describe.each(adapterNames)('%s', (name) => {
  let opened: TestDevice;
  let context: EngineContext;
  beforeAll(async () => {
    opened = await openTestDevice(name);
    context = createContext(opened.device);
  });
  afterAll(() => {
    context.dispose();
    opened.device.destroy();
  });

  async function run(plan: Plan): Promise<Uint8Array> {
    const executor = await openExecutor(context, plan);
    const externals = Object.fromEntries(
      Object.entries(plan.externals).map(([external, type]) => {
        const size = Math.ceil(byteLength(type) / 16) * 16;
        const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
        const buffer = opened.device.createBuffer({ size, usage });
        if (external !== 'result') {
          const data = normal(sizeOf(type.shape), 1 + Number(external.slice(1)));
          // Sums of hundreds of products should stay finite in f16.
          const values = data.map((v) => v / 8);
          const bits = type.dtype === 'f16' ? toF16Bits(values) : values;
          const bytes = new Uint8Array(size);
          bytes.set(new Uint8Array(bits.buffer, 0, byteLength(type)));
          opened.device.queue.writeBuffer(buffer, 0, bytes);
        }
        return [external, buffer];
      }),
    );
    try {
      await executor.run({ externals });
      const type = plan.externals['result']!;
      return new Uint8Array(
        await readBuffer(opened.device, externals['result']!, byteLength(type)),
      );
    } finally {
      executor.dispose();
      for (const buffer of Object.values(externals)) buffer.destroy();
    }
  }

  const graphOf = (make: (s: Sketch) => Tensor, dtype: DType): Graph => {
    const sketch = new Sketch(dtype);
    sketch.g.output('result', make(sketch));
    return sketch.g.build();
  };

  const dtypes = name === 'lavapipe' ? (['f16', 'f32'] as const) : (['f32'] as const);
  // Bands move windows, whatever runs over them: the kernels of GPUs, slow to compile, on one adapter.
  const families = name === adapterNames.at(-1) ? (['cpu', 'alu'] as const) : (['cpu'] as const);
  describe.each(dtypes)('%s', (dtype) => {
    test.each(Object.entries(CASES))('%s', async (_, make) => {
      for (const family of families) {
        const target = { ...opened.target, family };
        const whole = lower(graphOf(make, dtype), target, { maxBindingBytes: Infinity });
        const banded = lower(graphOf(make, dtype), target, { maxBindingBytes: LIMIT });
        expect(banded.dispatches.length).toBeGreaterThan(whole.dispatches.length);
        const bytes = await run(whole);
        expect(new Set(bytes).size).toBeGreaterThan(100); // not all zero
        const found = await run(banded);
        if (
          whole.dispatches.some(({ kernel, moments }) => moments ?? kernel.name === 'groupNorm')
        ) {
          expectClose(found, bytes, dtype);
        } else {
          expect(Buffer.compare(found, bytes)).toBe(0);
        }
      }
    });
  });
});
