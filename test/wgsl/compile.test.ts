/**
 * Every registry case and every dispatch of the real plans compiles and validates on Dawn's null
 * backend, for every kind of target.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import type { Target } from '../../src/engine/kernel.ts';
import { checkMatrices } from '../../src/engine/matrix-check.ts';
import { dispatchesOf } from '../../src/engine/plan.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { lower } from '../../src/graph/lower.ts';
import { loadWgsl, storeWgsl } from '../../src/engine/image-wgsl.ts';
import { blendGraph, cropGraph, finishGraph, padGraph } from '../../src/invsr/image-graphs.ts';
import { enlargeGraph } from '../../src/library/growing.ts';
import { openModel } from '../../src/invsr/model.ts';
import { planPadding } from '../../src/invsr/padding.ts';
import { stageGraph, STAGES } from '../../src/invsr/tile-graph.ts';
import { textEncoder } from '../../src/invsr/text-encoder.ts';
import { openTextModel } from '../../src/invsr/text-model.ts';
import { nodeFolder } from '../../src/weights/node-file.ts';
import { openNullDevice } from '../harness/device.ts';
import { AMD, APPLE, INTEL, INTEL_16, NVIDIA, withMatrix } from '../harness/matrices.ts';
import { tinyTextEncoder } from '../harness/synthetic.ts';
import { cases as attentionMatrixCases } from '../kernels/attention-matrix.cases.ts';
import { cases as matrixCases } from '../kernels/matrix.cases.ts';
import { REGISTRY } from '../kernels/registry.ts';

const CPU: Target = { family: 'cpu', shaderF16: true, subgroupSize: 8 };
const GPU: Target = { family: 'alu', shaderF16: true, subgroupSize: 32 };
const MATRICES = [NVIDIA, INTEL, APPLE];
const TARGETS: readonly Target[] = [
  CPU,
  { family: 'cpu', shaderF16: false, subgroupSize: 4 },
  { family: 'cpu', shaderF16: false, subgroupSize: 0 },
  GPU,
  { family: 'alu', shaderF16: false, subgroupSize: 0 },
  ...MATRICES.map(withMatrix),
];

let device: GPUDevice;
beforeAll(async () => {
  device = await openNullDevice();
});

/**
 * Devices that get matrix kernels have this much shared memory, and subgroups of GPU.subgroupSize; the
 * null adapter has half as much, and subgroups of up to 128. Its two complaints say by how much.
 */
const MATRIX_SHARED_BYTES = 32_768;

/** Many cases and targets share a text; one that was found right is not compiled again. */
const compiled = new Set<string>();

async function compile(label: string, code: string): Promise<void> {
  if (compiled.has(code)) return;
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ label, code });
  device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: 'main' } });
  const scope = device.popErrorScope();
  const { messages } = await module.getCompilationInfo();
  expect(
    messages.filter((m) => m.type === 'error').map((m) => `${m.lineNum}: ${m.message}`),
  ).toEqual([]);
  const message = (await scope)?.message ?? '';
  const [, shared] = /total use of workgroup storage \((\d+) bytes\)/.exec(message) ?? [];
  const [, width] = /workgroup_size \((\d+)\) must be a multiple of the device/.exec(message) ?? [];
  if (shared !== undefined && code.includes('subgroup_matrix')) {
    expect(Number(shared), label).toBeLessThanOrEqual(MATRIX_SHARED_BYTES);
  } else if (width !== undefined && code.includes('subgroup_matrix')) {
    expect(Number(width) % GPU.subgroupSize, label).toBe(0);
  } else {
    expect(message, label).toBe('');
  }
  compiled.add(code);
}

test.each([...matrixCases, ...attentionMatrixCases].map((c) => [c.name, c] as const))(
  '%s',
  (name, c) => compile(name, c.kernel(CPU).wgsl),
);

test('the start-up check of subgroup matrices', async () => {
  const matrices = [NVIDIA, AMD, INTEL, INTEL_16, APPLE];
  const problems: string[] = [];
  await checkMatrices(device, matrices, { onProblem: (_, reason) => problems.push(reason) });
  // It compiles and runs; this backend computes nothing.
  expect(problems).toEqual(
    matrices.map(() => expect.stringMatching(/^subgroups: invocation 0 has .* not \d/)),
  );
});

describe.each(Object.entries(REGISTRY))('%s', (_, cases) => {
  test.each(cases.map((c) => [c.name, c] as const))('%s', async (name, c) => {
    for (const target of TARGETS) await compile(name, c.kernel(target).wgsl);
  });
});

describe('the plans of invsr-nano', () => {
  const sizes = [
    { tile: 128, height: 128, width: 192 },
    { tile: 48, height: 20, width: 27 },
  ];
  test.each(sizes)('$width x $height in tiles of $tile', async ({ tile, ...size }) => {
    const model = await openModel(nodeFolder('weights/invsr-nano'));
    await model.close();
    const padding = planPadding(size.height, size.width, tile);
    const options = { batch: 2, tile, timesteps: [200, 100], cfg: 1, noise: 'generated' } as const;
    const texts = new Map<string, string>();
    for (const target of TARGETS) {
      const graphs = [
        ...STAGES.flatMap((stage) => [
          stageGraph(stage, model, { ...options, precision: 'f32' }),
          stageGraph(stage, model, { ...options, precision: 'f16' }),
        ]),
        ...[padGraph(size, padding)].filter((graph) => graph !== null),
        enlargeGraph(size),
        cropGraph(padding, 2, tile),
        blendGraph(size, 2, tile),
        ...(['none', 'wavelet', 'ycbcr'] as const).map((colorFix) =>
          finishGraph(size, { padding, colorFix, official: true }),
        ),
      ];
      for (const graph of graphs) {
        const plan = lower(graph, target);
        for (const { path, kernel } of dispatchesOf(plan)) {
          texts.set(kernel.wgsl, `${path} ${kernel.name} ${kernel.variant}`);
        }
      }
    }
    expect(texts.size).toBeGreaterThan(100);
    for (const [wgsl, label] of texts) await compile(label, wgsl);
  });
});

test.each(['gelu', 'quickGelu'] as const)('the plan of a text encoder, %s', async (activation) => {
  const { checkpoint, config } = await openTextModel(tinyTextEncoder());
  const texts = new Map<string, string>();
  for (const target of TARGETS) {
    for (const precision of ['f32', 'f16'] as const) {
      const g = new GraphBuilder({ precision });
      const tokens = g.external('tokens', { dtype: 'f32', shape: [1, 77, 64] });
      const weights = g.checkpoint('text_encoder', checkpoint.tensors);
      g.name('states', textEncoder(g, tokens, weights, { ...config, activation }));
      for (const { path, kernel } of lower(g.build(), target, { keep: () => true }).dispatches) {
        texts.set(kernel.wgsl, `${path} ${kernel.name} ${kernel.variant}`);
      }
    }
  }
  expect(texts.size).toBeGreaterThan(20);
  for (const [wgsl, label] of texts) await compile(label, wgsl);
});

test('the compute shaders between images and tensors', async () => {
  for (const place of ['texture', 'u32', 'vec4f'] as const) {
    for (const levels of [0, 255, 1023]) {
      for (const [convertsItself, isLinear] of [
        [false, false],
        [false, true],
        [true, false],
      ] as const) {
        const shader = { place, levels, convertsItself, isLinear };
        const name = JSON.stringify(shader);
        await compile(name, loadWgsl(shader));
        for (const format of ['rgba8unorm', 'rgba16float', 'rgba32float'] as const) {
          await compile(name, storeWgsl(shader, 'compute', format));
        }
      }
    }
  }
});
