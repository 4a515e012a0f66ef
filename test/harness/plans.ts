/** Small hand-written plans over the affine kernel, for tests of the executor, and executors of plans. */
import type { EngineContext } from '../../src/engine/context.ts';
import { createExecutor, type Executor } from '../../src/engine/executor.ts';
import { byteLength, type Kernel, type Target, type TensorType } from '../../src/engine/kernel.ts';
import { type Dispatch, dispatchesOf, type Location, type Plan } from '../../src/engine/plan.ts';
import { affine, type AffineConstants } from '../../src/kernels/affine.ts';

/** With its kernels compiled. */
export const openExecutor = async (context: EngineContext, plan: Plan): Promise<Executor> =>
  createExecutor(context, plan, await context.pipelines.compile(dispatchesOf(plan)));

export const slot = (index: number): Location => ({ kind: 'slot', index });
export const weight = (index: number): Location => ({ kind: 'weight', index });
export const external = (name: string): Location => ({ kind: 'external', name });

export function affineDispatch(
  path: string,
  type: TensorType,
  [a, b, output]: readonly [a: Location, b: Location | undefined, output: Location],
  constants: AffineConstants,
  target: Target,
): Dispatch {
  const kernel: Kernel = affine({ a: type, b: b && type }, constants, target);
  return { path, kernel, inputs: b ? { a, b } : { a }, output };
}

/**
 *   prepare   s0 = 2·w
 *   run       s1 = image + s0;  s2 = 3·s1;  result = s2 − image
 *             = 2·image + 6·w
 */
export function smallPlan(type: TensorType, target: Target): Plan {
  const bytes = byteLength(type);
  const image = external('image');
  return {
    slots: [
      { bytes, persistent: true },
      { bytes, persistent: false },
      { bytes, persistent: false },
    ],
    weights: [{ key: 'test/w', layout: 'vector', type }],
    externals: { image: type, result: type },
    prepare: [
      affineDispatch('net.fold', type, [weight(0), undefined, slot(0)], { alpha: 2 }, target),
    ],
    dispatches: [
      affineDispatch('net.add', type, [image, slot(0), slot(1)], { alpha: 1, beta: 1 }, target),
      affineDispatch('net.scale', type, [slot(1), undefined, slot(2)], { alpha: 3 }, target),
      affineDispatch(
        'net.out',
        type,
        [slot(2), image, external('result')],
        { alpha: 1, beta: -1 },
        target,
      ),
    ],
    named: { folded: { location: slot(0), type, channels: 4 } },
  };
}

/** `count` in-between additions of 1 on two slots, then out: something to abort. */
export function longPlan(type: TensorType, count: number, target: Target): Plan {
  const bytes = byteLength(type);
  const step = { alpha: 1, gamma: 1 };
  return {
    slots: [
      { bytes, persistent: false },
      { bytes, persistent: false },
    ],
    weights: [],
    externals: { image: type, result: type },
    prepare: [],
    dispatches: [
      affineDispatch('in', type, [external('image'), undefined, slot(0)], { alpha: 1 }, target),
      ...Array.from({ length: count }, (_, i) =>
        affineDispatch(
          `step.${i}`,
          type,
          [slot(i % 2), undefined, slot((i + 1) % 2)],
          step,
          target,
        ),
      ),
      affineDispatch(
        'out',
        type,
        [slot(count % 2), undefined, external('result')],
        { alpha: 1 },
        target,
      ),
    ],
    named: {},
  };
}
