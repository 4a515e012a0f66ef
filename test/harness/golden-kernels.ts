/**
 * Runs single kernels on goldens.
 *
 *   const { run, close } = await openKernelRun('swiftshader');
 *   const x = valueOf('f16', golden.f32('a.x'));
 *   const y = await run({ x }, (types, target) => geglu(types, {}, target));
 *   expectClose(y, golden.f32('a.y'), { nmse: F16_NMSE });
 */
import { expect } from 'vitest';
import type { DType, Kernel, Target, TensorType } from '../../src/engine/kernel.ts';
import { toSingle } from '../../src/weights/half.ts';
import { convert, type Layout, layoutType, type WeightDType } from '../../src/weights/layout.ts';
import { type AdapterName, adapterNames, openTestDevice } from './device.ts';
import type { Golden, GoldenTensor } from './goldens.ts';
import { describeWorst, type HostData, nmse, runKernel } from './run-kernel.ts';

export type Floats = GoldenTensor<Float32Array>;

export interface Value<Data extends HostData = HostData> {
  readonly type: TensorType;
  readonly data: Data;
}

/** Both precisions on every adapter: the `cpu` family packs f16, so it needs no `shader-f16`. */
export const KERNEL_RUNS = adapterNames.flatMap((adapter) =>
  (['f32', 'f16'] as const).map((precision) => ({ adapter, precision })),
);

export type Run = <K extends string>(
  inputs: Readonly<Record<K, Value>>,
  make: (types: Readonly<Record<K, TensorType>>, target: Target) => Kernel,
  options?: { readonly initial?: HostData },
) => Promise<Value<Float32Array>>;

export async function openKernelRun(
  adapter: AdapterName,
): Promise<{ readonly run: Run; readonly close: () => void }> {
  const { device, target } = await openTestDevice(adapter);
  const run: Run = async (inputs, make, options) => {
    const entries = Object.entries<Value>(inputs);
    const types = Object.fromEntries(entries.map(([name, { type }]) => [name, type]));
    const kernel = make(types as Parameters<typeof make>[0], { ...target, family: 'cpu' });
    const data = await runKernel(device, kernel, inputs, options);
    return { type: kernel.output.type, data: data as Float32Array };
  };
  return { run, close: () => device.destroy() };
}

export const valueOf = <Data extends HostData>(
  dtype: DType,
  { shape, data }: { readonly shape: readonly number[]; readonly data: Data },
): Value<Data> => ({ type: { dtype, shape }, data });

/** A checkpoint's tensor as the model loader lays it out. */
export function weightOf(layout: Layout, dtype: WeightDType, { shape, data }: Floats): Value {
  const raw = new Uint8Array(data.slice().buffer);
  const type = layoutType(layout, dtype, shape);
  const { buffer } = convert(layout, dtype, { name: layout, dtype: 'F32', shape, bytes: raw });
  return {
    type,
    data: type.dtype === 'f16' ? toSingle(new Uint16Array(buffer)) : new Float32Array(buffer),
  };
}

/** The last axis extended to a multiple of 4 by zeros. */
export function padLast({ shape, data }: Floats): Floats {
  const columns = shape.at(-1) ?? 1;
  const stride = Math.ceil(columns / 4) * 4;
  const padded = new Float32Array((data.length / columns) * stride);
  for (let row = 0; row * columns < data.length; row++) {
    padded.set(data.subarray(row * columns, (row + 1) * columns), row * stride);
  }
  return { shape: [...shape.slice(0, -1), stride], data: padded };
}

/**
 * NMSE of f32 results rounded to f16 once: each is off by at most 2^-11 of itself. The goldens'
 * inputs are f16 values, so nothing else is lost.
 */
export const F16_NMSE = 2 ** -22;

export type Limit = { readonly nmse: number } | { readonly abs: number };

/** Padding channels included: they must be what `expected` says, zero as a rule. */
export function expectClose(actual: Value<Float32Array>, expected: Floats, limit: Limit): void {
  expect(actual.type.shape).toEqual(expected.shape);
  const isNmse = 'nmse' in limit;
  const bound = isNmse ? limit.nmse : limit.abs;
  const error = isNmse
    ? nmse(actual.data, expected.data)
    : largestError(actual.data, expected.data, () => 1);
  const what = `${isNmse ? 'NMSE' : 'error'} ${error} > ${bound}`;
  expect(error, `${what}; ${describeWorst(actual.data, expected.data)}`).toBeLessThanOrEqual(bound);
}

/** Largest |actual - expected| over the scale of that element; a NaN is an infinite error. */
export function largestError(
  actual: Float32Array,
  expected: Float32Array,
  scale: (i: number) => number,
): number {
  expect(actual.length).toBe(expected.length);
  let largest = 0;
  for (const [i, v] of expected.entries()) {
    const error = Math.abs(actual[i]! - v) / scale(i);
    if (!(error <= largest)) largest = Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
  }
  return largest;
}

/** A golden that knows which of its tensors were asked for. */
export interface WatchedGolden extends Golden {
  readonly unread: () => string[];
}

export function watched(golden: Golden): WatchedGolden {
  const read = new Set<string>();
  const seen = (name: string): string => {
    read.add(name);
    return name;
  };
  return {
    ...golden,
    at: (name) => golden.at(seen(name)),
    f32: (name) => golden.f32(seen(name)),
    unread: () => [...golden.tensors.keys()].filter((name) => !read.has(name)),
  };
}

/** The cases of a golden: what stands before `.member`. */
export const casesOf = ({ tensors }: Golden, member: string): string[] =>
  [...tensors.keys()]
    .filter((name) => name.endsWith(`.${member}`))
    .map((name) => name.slice(0, -member.length - 1));
