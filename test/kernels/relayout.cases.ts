/** Against `convert`, which test/unit/layout.test.ts holds against the definition. */
import type { Blocks, Shape } from '../../src/engine/kernel.ts';
import { relayout, type RelayoutConstants } from '../../src/kernels/relayout.ts';
import { packBlocks } from '../../src/weights/blocks.ts';
import { convert, layoutType } from '../../src/weights/layout.ts';
import { fromF16Bits } from '../harness/half.ts';
import { rawWeight } from '../harness/raw-weights.ts';
import type { KernelCase } from './cases.ts';
import { storedType } from './in-blocks.ts';

/** Bytes before the piece: kernels find it wherever it lies. */
const OFFSET = 48;

function relayoutCase(
  layout: RelayoutConstants['layout'],
  from: RelayoutConstants['from'],
  shape: Shape,
  tags: KernelCase['tags'],
  blocks?: Blocks,
): KernelCase {
  const tensor = rawWeight(from, shape);
  const words = new Uint32Array((OFFSET + tensor.bytes.length) / 4).fill(0x7bcd_7bcd);
  new Uint8Array(words.buffer).set(tensor.bytes, OFFSET);
  const raw = { dtype: 'u32', shape: [words.length] } as const;
  const constants = { from, layout, shape, offset: OFFSET, first: 0, rows: shape[0]!, blocks };
  const cpu = { family: 'cpu', shaderF16: false, subgroupSize: 0 } as const;
  const { type } = relayout({ raw }, constants, cpu).output;
  const expected = storedType(layoutType(layout, 'f16', shape), blocks);
  if (type.shape.join() !== expected.shape.join()) throw new Error(`shape is ${type.shape.join()}`);
  const bytes = (): Uint8Array<ArrayBuffer> => {
    const plain = convert(layout, 'f16', tensor);
    return blocks ? packBlocks(plain, shape[0]!, blocks) : plain;
  };
  return {
    name: `relayout ${layout} ${from} [${shape.join(',')}]${blocks ? ` in ${blocks.k}x${blocks.n}` : ''}`,
    tags,
    inputs: { raw },
    data: () => words,
    kernel: (target) => relayout({ raw }, constants, target),
    reference: () => fromF16Bits(new Uint16Array(bytes().buffer)),
    maxNmse: 0, // every value; test/kernels/load-weights.test.ts compares bits
  };
}

export const cases: readonly KernelCase[] = [
  relayoutCase('linear', 'F16', [8, 8], ['edge']),
  relayoutCase('linear', 'F16', [72, 136], ['edge']), // beyond the workgroup's rows and columns
  relayoutCase('linear', 'F16', [264, 72, 1, 1], ['edge']),
  relayoutCase('conv', 'F16', [8, 8, 3, 3], ['edge']),
  relayoutCase('conv', 'F16', [16, 4, 2, 3], ['edge']),
  relayoutCase('conv', 'F32', [24, 16, 3, 3], ['edge']),
  relayoutCase('linear', 'F32', [16, 24], ['edge']),
  relayoutCase('linear', 'BF16', [16, 24], ['edge']),
  relayoutCase('phase', 'F16', [8, 8, 3, 3], ['edge']),
  relayoutCase('phase', 'BF16', [16, 8, 3, 3], ['edge']),
  relayoutCase('phase', 'F32', [136, 8, 3, 3], ['edge']),
  relayoutCase('linear', 'F16', [48, 80], ['edge'], { k: 16, n: 16 }),
  relayoutCase('conv', 'BF16', [24, 16, 3, 3], ['edge'], { k: 8, n: 8 }),
  relayoutCase('phase', 'F32', [144, 16, 3, 3], ['edge'], { k: 16, n: 16 }),
  relayoutCase('linear', 'F16', [1280, 320], ['real', 'perf']),
  relayoutCase('conv', 'F16', [320, 320, 3, 3], ['real', 'perf']),
  relayoutCase('conv', 'F32', [256, 256, 3, 3], ['real', 'perf']),
  relayoutCase('phase', 'F16', [128, 128, 3, 3], ['perf']),
];
