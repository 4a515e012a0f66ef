/**
 * Weights in blocks on their whole way, on emulated subgroup matrices: from a checkpoint's tensor, whose
 * columns go in pairs besides, to a product; and through tuning, which packs them itself.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createContext, type EngineContext } from '../../src/engine/context.ts';
import type { TensorType } from '../../src/engine/kernel.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { loadWeights } from '../../src/graph/load-weights.ts';
import { lower } from '../../src/graph/lower.ts';
import { readWhole } from '../../src/graph/whole-weight.ts';
import type { WeightSource } from '../../src/graph/weight-source.ts';
import { linearReference } from '../../src/kernels/linear.ts';
import { subjectsOf } from '../../src/tune/subjects.ts';
import { tuneSubjects } from '../../src/tune/tune.ts';
import { toHalf, toSingle } from '../../src/weights/half.ts';
import { convert, type Layout } from '../../src/weights/layout.ts';
import { adapterNames, openTestDevice, type TestDevice } from '../harness/device.ts';
import { roundF16 } from '../harness/half.ts';
import { NVIDIA, withMatrix } from '../harness/matrices.ts';
import { normal } from '../harness/random.ts';
import { runGraph } from '../harness/run-graph.ts';
import { nmse } from '../harness/run-kernel.ts';
import { emulateSubgroupMatrices } from '../harness/subgroup-matrix-emulator.ts';
import { sumNmse } from './cases.ts';

const DIRECT = 'matrix64x64 direct';
const GPU = withMatrix(NVIDIA);
const f16 = (...shape: number[]): TensorType => ({ dtype: 'f16', shape });

const weight = toHalf(normal(96 * 48, 1, { std: 1 / Math.sqrt(48) }));
const source: WeightSource = {
  readWeight: async ({ key, layout }) =>
    convert(layout as Layout, 'f16', {
      name: key,
      dtype: 'F16',
      shape: [96, 48],
      bytes: new Uint8Array(weight.buffer),
    }),
  placeOf: () => ({
    dtype: 'F16',
    shape: [96, 48],
    bytes: weight.byteLength,
    order: 0,
    read: async (begin, target) => {
      target.set(new Uint8Array(weight.buffer, begin, target.length));
    },
  }),
};

/** Lavapipe's compiler takes minutes over such shaders. */
describe.skipIf(!adapterNames.includes('swiftshader'))('swiftshader', () => {
  let opened: TestDevice;
  let context: EngineContext;
  beforeAll(async () => {
    opened = await openTestDevice('swiftshader');
    const { device } = opened;
    const create = device.createShaderModule.bind(device);
    device.createShaderModule = (descriptor) =>
      create({ ...descriptor, code: emulateSubgroupMatrices(descriptor.code) });
    context = { ...createContext(device), target: GPU };
  });
  afterAll(() => {
    context?.dispose();
    opened?.device.destroy();
  });

  const graphOf = () => {
    const g = new GraphBuilder({ precision: 'f16' });
    const w = g.checkpoint('net', new Map([['proj.weight', { shape: [96, 48] }]]));
    const x = g.external('x', f16(1, 70, 48));
    g.output('result', g.geglu('gate', g.linear(x, w.at('proj'), { dtype: 'f32' })));
    return g.build();
  };

  test('loaded, columns in pairs: the product of the plain weight', async () => {
    const graph = graphOf();
    const [choice] = lower(graph, GPU).dispatches.flatMap(({ kernel }) => kernel.choice ?? []);
    const target = { ...GPU, designs: { [choice!.key]: DIRECT } };
    const plan = lower(graph, target);
    expect(plan.weights).toMatchObject([{ paired: true, blocks: { k: 16, n: 16 } }]);
    await loadWeights(context, plan.weights, source, { turnedBy: 'device', deviceBytes: 0 });
    const x = roundF16(normal(70 * 48, 2));
    const plain = (await readWhole(source, plan.weights[0]!)).slice().buffer;
    expect(
      nmse(
        await runGraph(context, graph, target, { x }),
        linearReference(
          { x, weight: toSingle(new Uint16Array(plain)) },
          { inner: 48, gated: true },
        ),
      ),
    ).toBeLessThan(sumNmse(48));
  });

  test('tuned: packed when it is prepared, and right', async () => {
    const [subject] = subjectsOf([graphOf()], context);
    const some = { ...subject!, candidates: subject!.candidates.filter((name) => name === DIRECT) };
    const { classes } = await tuneSubjects(context, [some]);
    expect(classes).toMatchObject([{ chosen: DIRECT }]);
    expect(classes[0]?.designs.filter((one) => 'refused' in one)).toEqual([]);
  });
});
