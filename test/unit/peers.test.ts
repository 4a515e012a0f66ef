/** What bench/peers hands to onnxruntime: ONNX models as they are written, in f16, and values between layouts. */
import { describe, expect, test } from 'vitest';
import type { TensorType } from '../../src/engine/kernel.ts';
import { gegluReference } from '../../src/kernels/geglu.ts';
import { linearReference } from '../../src/kernels/linear.ts';
import { agreement } from '../../bench/peers/agreement.ts';
import { halfModel } from '../../bench/peers/onnx-half.ts';
import { fieldsOf } from '../../bench/peers/onnx.ts';
import { dimensions, ELEMENT, writeModel } from '../../bench/peers/onnx-write.ts';
import { onnxFor } from '../../bench/peers/op-graphs.ts';
import {
  channelsFirst,
  channelsLast,
  outputsFirst,
  ungated,
  window,
} from '../../bench/peers/op-layout.ts';
import { type OpSubject, PEER_OPS, planOf, valuesOf } from '../../bench/peers/op-subject.ts';
import { subjectOf } from '../../bench/peers/subjects.ts';
import { normal } from '../harness/random.ts';

const fields = (message: Uint8Array | undefined, number: number) =>
  [...fieldsOf(message ?? new Uint8Array())].filter((field) => field.number === number);
const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);
const graphOf = (model: Uint8Array): Uint8Array => fields(model, 7)[0]!.body!;
const nodesOf = (model: Uint8Array) =>
  fields(graphOf(model), 1).map(({ body }) => ({
    op: text(fields(body, 4)[0]?.body),
    inputs: fields(body, 1).map((field) => text(field.body)),
    outputs: fields(body, 2).map((field) => text(field.body)),
  }));
/** Type and bytes of each initialiser. */
const initializersOf = (model: Uint8Array) =>
  new Map(
    fields(graphOf(model), 5).map(({ body }) => [
      text(fields(body, 8)[0]?.body),
      { type: fields(body, 2)[0]?.value, bytes: fields(body, 9)[0]?.body },
    ]),
  );

const f32Bytes = (...values: number[]): Uint8Array =>
  new Uint8Array(Float32Array.from(values).buffer);

describe('a network in f16', () => {
  const model = writeModel({
    nodes: [
      { op: 'Mul', inputs: ['rates', 't'], outputs: ['angles'] },
      { op: 'Sin', inputs: ['angles'], outputs: ['sines'] },
      { op: 'MatMul', inputs: ['x', 'weight'], outputs: ['product'] },
      { op: 'Add', inputs: ['product', 'sines'], outputs: ['sum'] },
      { op: 'Cast', inputs: ['sum'], outputs: ['cast'], attributes: { to: { int: ELEMENT.f32 } } },
      { op: 'Resize', inputs: ['cast', '', 'scales'], outputs: ['y'] },
    ],
    inputs: [{ name: 'x', dtype: 'f32', shape: [1, 2] }],
    outputs: [{ name: 'y', dtype: 'f32', shape: [2, 2] }],
    initializers: [
      { name: 'rates', dtype: 'f32', shape: [2], bytes: f32Bytes(1, 0.5) },
      { name: 't', dtype: 'f32', shape: [1], bytes: f32Bytes(199) },
      { name: 'weight', dtype: 'f32', shape: [2, 2], bytes: f32Bytes(1, 0.5, -2, 0) },
      { name: 'scales', dtype: 'f32', shape: [2], bytes: f32Bytes(2, 1) },
      dimensions('shape', [1, -1]),
    ],
  });
  const half = halfModel(model);

  test('weights, and nothing that angles or Resize need', () => {
    const found = initializersOf(half);
    const types = Object.fromEntries([...found].map(([name, { type }]) => [name, type]));
    const { f16, f32, i64 } = ELEMENT;
    expect(types).toEqual({ rates: f32, t: f32, weight: f16, scales: f32, shape: i64 });
    const bits = Uint8Array.from(found.get('weight')!.bytes!);
    expect([...new Uint16Array(bits.buffer)]).toEqual([0x3c00, 0x3800, 0xc000, 0]);
  });

  test('a cast after the sine, under its old name', () => {
    const nodes = nodesOf(half);
    expect(nodes.map(({ op }) => op)).toEqual([
      'Mul',
      'Sin',
      'Cast',
      'MatMul',
      'Add',
      'Cast',
      'Resize',
    ]);
    expect(nodes[2]!.inputs).toEqual(nodes[1]!.outputs);
    expect(nodes[2]!.outputs).toEqual(['sines']);
  });

  test('casts, inputs and outputs', () => {
    const casts = fields(graphOf(half), 1).flatMap(({ body }) => fields(body, 5));
    const to = casts.map(({ body }) => fields(body, 3)[0]?.value);
    expect(to).toEqual([ELEMENT.f16, ELEMENT.f16]);
    for (const number of [11, 12]) {
      const [value] = fields(graphOf(half), number);
      const type = fields(fields(value!.body, 2)[0]!.body, 1)[0]!.body;
      expect(fields(type, 1)[0]!.value).toBe(ELEMENT.f16);
    }
  });
});

test('negative dimensions and long names survive writing', () => {
  const long = 'n'.repeat(300);
  const model = writeModel({
    nodes: [{ op: 'Reshape', inputs: [long, 'shape'], outputs: ['y'], attributes: {} }],
    inputs: [{ name: long, dtype: 'f16', shape: [70_000] }],
    outputs: [{ name: 'y', dtype: 'f16', shape: [1, 70_000] }],
    initializers: [dimensions('shape', [1, -1])],
  });
  expect(nodesOf(model)[0]!.inputs).toEqual([long, 'shape']);
  const { bytes } = initializersOf(model).get('shape')!;
  expect([...new BigInt64Array(Uint8Array.from(bytes!).buffer)]).toEqual([1n, -1n]);
});

describe('layouts', () => {
  test('images there and back', () => {
    const shape = [2, 3, 5, 4];
    const values = normal(120, 1);
    const turned = channelsFirst(values, shape);
    // n 1, y 2, x 3, channel 1
    expect(turned[((1 * 4 + 1) * 3 + 2) * 5 + 3]).toBe(values[((1 * 3 + 2) * 5 + 3) * 4 + 1]);
    expect(channelsLast(turned, shape)).toEqual(values);
  });

  test('weights', () => {
    const values = normal(3 * 2 * 4 * 8, 2);
    const turned = outputsFirst(values, [3, 2, 4, 8]);
    // ky 2, kx 1, input 3, output 5
    expect(turned[((5 * 4 + 3) * 3 + 2) * 2 + 1]).toBe(values[((2 * 2 + 1) * 4 + 3) * 8 + 5]);
  });

  test('a window on rows', () => {
    const part = window(Float32Array.of(0, 1, 2, 3, 4, 5), { width: 3, from: 1, channels: 2 });
    expect([...part]).toEqual([1, 2, 4, 5]);
  });

  test('a gated product is the product of ungated columns, gated', () => {
    const [x, weight, bias] = [normal(2 * 4, 1), normal(4 * 16, 2), normal(16, 3)];
    const ours = linearReference({ x, weight, bias }, { inner: 4, gated: true });
    const plain = linearReference(
      { x, weight: ungated(weight, 16), bias: ungated(bias, 16) },
      { inner: 4 },
    );
    const theirs = gegluReference({ x: plain }, { channels: 8 });
    // Both sum in f64 and round to f32 once or twice.
    for (const [i, value] of theirs.entries()) expect(ours[i]).toBeCloseTo(value, 5);
  });
});

describe('ops', () => {
  const type = (...shape: number[]): TensorType => ({ dtype: 'f16', shape });
  const vector = (length: number): TensorType => ({ dtype: 'f32', shape: [length] });
  const image = type(1, 4, 4, 8);
  const norm = { x: image, gamma: vector(8), beta: vector(8) };
  const SUBJECTS: Readonly<Record<(typeof PEER_OPS)[number], Omit<OpSubject, 'op'>>> = {
    activation: { inputs: { x: image }, constants: { kind: 'silu' } },
    attention: {
      inputs: { q: type(1, 4, 24), k: type(1, 4, 24), v: type(1, 4, 24) },
      constants: { heads: 2, channels: 8, offsets: { q: 0, k: 8, v: 16 } },
    },
    concat: { inputs: { a: image, b: image }, constants: {} },
    conv2d: {
      inputs: { x: image, weight: type(3, 3, 8, 4), bias: vector(4) },
      constants: { padding: { top: 1, left: 1, bottom: 1, right: 1 } },
    },
    geglu: { inputs: { x: type(1, 4, 8) }, constants: {} },
    groupNorm: { inputs: norm, constants: { groups: 2, eps: 1e-6 } },
    layerNorm: { inputs: { ...norm, x: type(1, 4, 8) }, constants: { eps: 1e-5 } },
    linear: { inputs: { x: type(1, 4, 8), weight: type(8, 16) }, constants: { gated: true } },
    upsampleConv2d: { inputs: { x: image, weight: type(2, 2, 2, 2, 8, 8) }, constants: {} },
    upsampleNearest: { inputs: { x: image }, constants: { height: 8, width: 8 } },
  };

  test.each(PEER_OPS)('%s: every name in its graphs is defined before it is used', (op) => {
    const subject = { op, ...SUBJECTS[op] };
    const graphs = onnxFor(subject, valuesOf(subject), 'f16');
    expect(graphs.length).toBeGreaterThan(0);
    for (const { model, feeds } of graphs) {
      const known = new Set(['', ...Object.keys(feeds), ...initializersOf(model).keys()]);
      for (const { inputs, outputs } of nodesOf(model)) {
        expect(inputs.filter((name) => !known.has(name))).toEqual([]);
        for (const name of outputs) known.add(name);
      }
      const [output] = fields(graphOf(model), 12);
      expect(known).toContain(text(fields(output!.body, 1)[0]!.body));
    }
  });

  test('the last kernel of a group normalisation stands for all three', () => {
    const inputs = { x: type(1, 4, 4, 64), stats: type(1, 2, 64), beta: vector(64) };
    const target = { family: 'alu', shaderF16: true, subgroupSize: 32 } as const;
    const kernel = (): never => {
      throw new Error('the case has one of its own');
    };
    const constants = { activation: 'silu' };
    const subject = subjectOf({ op: 'groupNormApply', inputs, constants, kernel });
    expect(subject).toMatchObject({
      op: 'groupNorm',
      constants: { groups: 32, activation: 'silu' },
    });
    expect(Object.keys(subject!.inputs)).toEqual(['x', 'gamma', 'beta']);
    const { dispatches, externals } = planOf(subject!, target);
    const names = ['groupNormPartial', 'groupNormFinalize', 'groupNormApply'];
    expect(dispatches.map((each) => each.kernel.name)).toEqual(names);
    expect(Object.keys(externals)).toEqual(['x', 'gamma', 'beta', 'partial', 'stats', 'output']);
    expect(subjectOf({ op: 'groupNormPartial', inputs, constants: {}, kernel })).toBeUndefined();
  });

  test('a product that normalizes what it reads is not beside one that does not', () => {
    const { inputs, constants } = SUBJECTS.conv2d;
    const one = {
      op: 'conv2d',
      constants: { ...constants },
      kernel: (): never => expect.unreachable(),
    };
    expect(subjectOf({ ...one, inputs })?.op).toBe('conv2d');
    const stats = type(1, 2, 8);
    expect(subjectOf({ ...one, inputs: { ...inputs, stats, beta: vector(8) } })).toBeUndefined();
  });

  test('what may differ grows with the root of the terms', () => {
    const of = (k: number): number =>
      agreement({ op: 'linear', inputs: { x: type(1, k), weight: type(k, 4) }, constants: {} });
    // 3 · 2⁻¹⁰ · (1 + √(K / 24))
    expect(of(24)).toBeCloseTo(6 * 2 ** -10, 12);
    expect(of(24 * 100)).toBeCloseTo(33 * 2 ** -10, 12);
  });
});
