/** Runs graphs and whole upscales on a test device and compares them with goldens. */
import { expect } from 'vitest';
import { createContext, type EngineContext } from '../../src/engine/context.ts';
import type { Target } from '../../src/engine/kernel.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { Buffers } from '../../src/invsr/buffers.ts';
import type { Model } from '../../src/invsr/model.ts';
import { type Dump, dumpNamed } from '../../src/invsr/parity.ts';
import { createRunner } from '../../src/invsr/runner.ts';
import {
  type ModelFacts,
  stageGraph,
  STAGES,
  type TileGraphOptions,
} from '../../src/invsr/tile-graph.ts';
import { adapterNames, openTestDevice } from './device.ts';
import { type Golden, type GoldenTensor, samplesOf, toNhwc } from './goldens.ts';

export type Precision = 'f16' | 'f32';

/** Adapter and precision pairs: f16 only where the adapter computes in it. */
export const RUNS = adapterNames.flatMap((adapter) =>
  (adapter === 'swiftshader' ? (['f32'] as const) : (['f32', 'f16'] as const)).map((precision) => ({
    adapter,
    precision,
  })),
);

/**
 * Largest rms error over the reference's standard deviation. f32: ten times what an independent
 * f32 re-implementation shows (tolerances.json: up to 2e-6), as sums are ordered differently. f16:
 * storage alone gives 2e-3 to 3e-3 there (f16sim).
 */
export const GATE: Readonly<Record<Precision, number>> = { f32: 2e-5, f16: 1e-2 };

/** A context on a device of its own; `close` frees both. GPUs' kernels run on CPU adapters too. */
export async function openTestContext(
  adapter: (typeof adapterNames)[number],
  family: Target['family'] = 'cpu',
): Promise<{ context: EngineContext; close: () => void }> {
  const { device } = await openTestDevice(adapter);
  const created = createContext(device);
  const context = { ...created, target: { ...created.target, family } };
  return {
    context,
    close: () => {
      context.dispose();
      device.destroy();
    },
  };
}

/**
 * The graphs' named tensors after one run of each in turn, NCHW. Inputs are goldens, NCHW (or
 * sequences [1, L, C]).
 */
export async function runGraph(
  context: EngineContext,
  graphs: Graph | readonly Graph[],
  model: Pick<Model, 'readWeight'>,
  inputs: Readonly<Record<string, GoldenTensor<Float32Array>>>,
): Promise<Dump> {
  const buffers = new Buffers(context);
  const dump: Dump = new Map();
  try {
    for (const [name, tensor] of Object.entries(inputs)) {
      await buffers.write(name, tensor.shape.length === 4 ? toNhwc(tensor).data : tensor.data);
    }
    for (const graph of [graphs].flat()) {
      const runner = await createRunner(context, graph, { model, keep: () => true });
      try {
        await runner.run(buffers);
        await dumpNamed(context.device, runner, buffers, '', dump);
      } finally {
        runner.dispose();
      }
    }
    return dump;
  } finally {
    buffers.dispose();
  }
}

/** The whole path of a batch of tiles. */
export const pathGraphs = (model: ModelFacts, options: TileGraphOptions): Graph[] =>
  STAGES.map((stage) => stageGraph(stage, model, options));

/** rms(actual − expected) / std(expected). */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  const n = expected.length;
  let sum = 0;
  for (let i = 0; i < n; i++) sum += expected[i]!;
  const mean = sum / n;
  let variance = 0;
  let error = 0;
  for (let i = 0; i < n; i++) {
    variance += (expected[i]! - mean) ** 2;
    error += (actual[i]! - expected[i]!) ** 2;
  }
  const value = Math.sqrt(error / variance);
  return Number.isNaN(value) ? Number.POSITIVE_INFINITY : value;
}

/** Compares one dumped tensor with a golden, whole or by samples; returns the relative error. */
export function errorAgainst(dump: Dump, name: string, golden: Golden, goldenName = name): number {
  const actual = dump.get(name);
  if (!actual)
    throw new Error(`nothing named ${name} was dumped; there is ${[...dump.keys()].join(', ')}`);
  if (golden.has(goldenName)) {
    const expected = golden.f32(goldenName);
    expect(actual.shape).toEqual(expected.shape);
    return relativeError(actual.data, expected.data);
  }
  const samples = golden.f32(`samples.${goldenName}`);
  expect(actual.shape).toEqual(samples.shape);
  return relativeError(samplesOf(actual.data, samples.data.length), samples.data);
}

/** 10·log₁₀(peak² / mse). */
export function psnr(actual: ArrayLike<number>, expected: ArrayLike<number>, peak: number): number {
  expect(actual.length).toBe(expected.length);
  let error = 0;
  for (let i = 0; i < expected.length; i++) error += (actual[i]! - expected[i]!) ** 2;
  return 10 * Math.log10((peak * peak * expected.length) / error);
}
