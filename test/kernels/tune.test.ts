/** Designs measured on a device: the fastest right one wins, and nothing else can. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createContext, type EngineContext } from '../../src/engine/context.ts';
import type { Kernel, TensorType } from '../../src/engine/kernel.ts';
import type { Plan } from '../../src/engine/plan.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { inputsOf, type Node } from '../../src/graph/graph.ts';
import { conv2d } from '../../src/kernels/conv2d.ts';
import { linear } from '../../src/kernels/linear.ts';
import { referenceOf } from '../../src/tune/sampled-reference.ts';
import { type Subject, subjectsOf } from '../../src/tune/subjects.ts';
import { tuneSubjects, type TuneResult } from '../../src/tune/tune.ts';
import { adapterNames, openTestDevice, type TestDevice } from '../harness/device.ts';

const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape });

/** A node's kernel as it is, and what may be made of it. */
type Designs = Readonly<Record<string, (kernel: Kernel) => Kernel>>;

const same = (kernel: Kernel): Kernel => kernel;

/** Every value computed many times over. */
const slow = (kernel: Kernel): Kernel => ({
  ...kernel,
  workgroups: [kernel.workgroups[0], kernel.workgroups[1], 40 * kernel.workgroups[2]],
  wgsl: kernel.wgsl.replace('area_of(workgroup.z)', 'area_of(workgroup.z / 40u)'),
});

/** One column in vain: `slow` in one place. */
const wrong = (kernel: Kernel): Kernel => ({
  ...kernel,
  wgsl: kernel.wgsl.replace('store_y(out, v);', 'store_y(out, v * vec4f(1, 1, 1.001, 1));'),
});

/** The last pixels are never written. */
const unfinished = (kernel: Kernel): Kernel => ({
  ...kernel,
  workgroups: [kernel.workgroups[0], kernel.workgroups[1] - 1, kernel.workgroups[2]],
});

const broken = (kernel: Kernel): Kernel => ({ ...kernel, wgsl: `${kernel.wgsl}\nfn main() {` });

/** One dispatch over buffers called by the kernel's bindings. */
function planOf(kernel: Kernel, node: Node): Plan {
  const inputs = Object.fromEntries(
    Object.keys(kernel.bindings).map((name) => [name, { kind: 'external', name } as const]),
  );
  const output = { kind: 'external', name: 'output' } as const;
  return {
    slots: [],
    weights: [],
    externals: { ...Object.fromEntries(inputsOf(node)), output: kernel.output.type },
    prepare: [],
    dispatches: [{ path: 'test', kernel, inputs, output }],
    named: {},
  };
}

function subjectOf(node: Node, plain: Kernel, designs: Designs): Subject {
  const candidates = Object.keys(designs);
  return {
    key: node.path,
    candidates,
    path: node.path,
    count: 1,
    flops: plain.cost.flops,
    plan: (design) => planOf(designs[design]!(plain), node),
    reference: () => referenceOf(node),
  };
}

const withIds = (types: Readonly<Record<string, TensorType>>) =>
  Object.fromEntries(Object.entries(types).map(([name, type], id) => [name, { ...type, id }]));

describe.each(adapterNames)('%s', (name) => {
  let opened: TestDevice;
  let context: EngineContext;
  beforeAll(async () => {
    opened = await openTestDevice(name);
    context = createContext(opened.device);
  });
  afterAll(() => opened.device.destroy());

  // The family of software adapters: a grid in three dimensions, which `slow` takes apart.
  const conv = (designs: Designs): Subject => {
    const inputs = { x: f32(1, 16, 16, 32), weight: f32(3, 3, 32, 32), bias: f32(32) };
    const constants = { padding: { top: 1, left: 1, bottom: 1, right: 1 } };
    const plain = conv2d(inputs, constants, context.target);
    const output = { ...plain.output.type, id: 9 };
    const node = { op: 'conv2d', path: 'conv', inputs: withIds(inputs), constants, output };
    return subjectOf(node as unknown as Node, plain, designs);
  };
  const product = (designs: Designs): Subject => {
    const inputs = { x: f32(64, 64), weight: f32(64, 64) };
    const plain = linear(inputs, {}, context.target);
    const output = { ...plain.output.type, id: 9 };
    const node = { op: 'linear', path: 'linear', inputs: withIds(inputs), constants: {}, output };
    return subjectOf(node as unknown as Node, plain, designs);
  };
  const refusalsOf = ({ classes }: TuneResult): Record<string, string> =>
    Object.fromEntries(
      classes.flatMap(({ designs }) =>
        designs.flatMap((one) => ('refused' in one ? [[one.design, one.refused]] : [])),
      ),
    );

  test('the faster one wins, what is wrong or does not compile is refused', async () => {
    const told: string[] = [];
    const result = await tuneSubjects(
      context,
      [conv({ slow, same, wrong, unfinished, broken }), product({ same, slow })],
      { onClass: ({ key }, { done, total }) => told.push(`${key} ${done}/${total}`) },
    );
    expect(result.designs).toEqual({ conv: 'same', linear: 'same' });
    expect(refusalsOf(result)).toEqual({
      wrong: expect.stringMatching(/^wrong values: NMSE 2\.\de-7, at most/),
      unfinished: expect.stringMatching(/^wrong values: NMSE Infinity/),
      broken: expect.stringContaining('does not compile'),
    });
    expect(told).toEqual(['conv 1/2', 'linear 2/2']);
    expect(result.ended).toBe('done');
    expect(result.classes[0]!.share).toBeLessThan(0.5);
  });

  test('where the guess is wrong here, another one is taken', async () => {
    const result = await tuneSubjects(context, [product({ wrong, same })]);
    expect(result.designs).toEqual({ linear: 'same' });
  });

  test('an op that nothing can be compared with keeps its guess', async () => {
    const subject: Subject = { ...product({ slow, same }), reference: () => undefined };
    const result = await tuneSubjects(context, [subject]);
    expect(result.designs).toEqual({ linear: 'slow' });
    expect(refusalsOf(result)['same']).toMatch('no reference');
  });

  test('a class that cannot be measured keeps its guess, and the others are measured', async () => {
    const subject: Subject = {
      ...conv({ same, slow }),
      reference: () => {
        throw new Error('no memory');
      },
    };
    const result = await tuneSubjects(context, [subject, product({ slow, same })]);
    expect(result.designs).toEqual({ conv: 'same', linear: 'same' });
    expect(refusalsOf(result)).toEqual({ same: 'no memory', slow: 'no memory' });
  });

  test('by the wall clock where there are no timestamps', async () => {
    const features = new Set([...opened.device.features].filter((f) => f !== 'timestamp-query'));
    const device = new Proxy(opened.device, {
      get: (target, key) => {
        if (key === 'features') return features;
        const value: unknown = Reflect.get(target, key);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const blind: EngineContext = { ...context, device };
    const { designs } = await tuneSubjects(blind, [product({ slow, same })]);
    expect(designs).toEqual({ linear: 'same' });
  });

  // On one adapter: the conformance sweep has each design on all of them.
  const isLast = name === adapterNames.at(-1);
  test.runIf(isLast)('every design that a GPU would choose from gives right values', async () => {
    const gpu: EngineContext = { ...context, target: { ...context.target, family: 'alu' } };
    const g = new GraphBuilder({ precision: 'f32' });
    const x = g.external('x', f32(1, 8, 16, 64));
    const conv = g.emit(
      'conv2d',
      'conv',
      {
        x,
        stats: g.external('stats', f32(1, 2, 64)),
        beta: g.external('beta', f32(64)),
        weight: g.external('w', f32(3, 3, 64, 32)),
        bias: g.external('b', f32(32)),
      },
      { padding: { top: 1, left: 1, bottom: 1, right: 1 }, normActivation: 'silu' },
      f32(1, 8, 16, 32),
    );
    const rows = g.emit(
      'linear',
      'linear',
      {
        x: g.reshape(conv, [128, 32]),
        x2: undefined,
        stats: undefined,
        beta: undefined,
        gamma: g.external('gamma', f32(32)),
        columns: g.external('columns', f32(64)),
        weight: g.external('wl', f32(32, 64)),
        bias: g.external('bl', f32(64)),
        residual: undefined,
      },
      { rowEps: 1e-5 },
      f32(128, 64),
    );
    g.output('y', rows);
    const subjects = subjectsOf([g.build()], gpu);
    expect(subjects.flatMap(({ candidates }) => candidates)).toEqual(
      expect.arrayContaining(['tile128x32', 'whole', 'split2', 'winograd']),
    );
    const result = await tuneSubjects(gpu, subjects);
    expect(refusalsOf(result)).toEqual({});
    expect(result.classes).toHaveLength(3);
  });

  test('no time: every class is left; an abort rejects with its reason', async () => {
    const over = await tuneSubjects(context, [product({ same, slow })], { minutes: -1 });
    expect(over).toMatchObject({ ended: 'budget', left: ['linear'], designs: {} });
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(tuneSubjects(context, [product({ same, slow })], { signal })).rejects.toThrow(
      'enough',
    );
  });

  test('a device that is lost: what was found stays, and who is to blame is told', async () => {
    const other = await openTestDevice(name);
    const fragile = createContext(other.device);
    const killing = (kernel: Kernel): Kernel => {
      other.device.destroy();
      return kernel;
    };
    const result = await tuneSubjects(fragile, [
      product({ same, slow }),
      conv({ same, killing }),
      conv({ same, slow }),
    ]);
    expect(result).toMatchObject({
      ended: 'lost',
      designs: { linear: 'same', conv: 'same' },
      left: ['conv'],
      reason: expect.stringContaining('conv, killing'),
    });
    expect(refusalsOf(result)).toEqual({ killing: 'the device was lost' });
  });
});
