/**
 * Plan → Plan that looks for NaN and Infinity: after every dispatch one of the kernel
 * nonFinite, which marks a buffer of flags. Marks fall from the first dispatch to the last and
 * the largest one stays, so the flags name the first layer that went wrong, whatever it spread to.
 *
 * The flags are a slot of the plan's own, zero when it is made: what `prepare` computes is seen as
 * well. Once marked they stay so.
 */
import type { Target } from '../engine/kernel.ts';
import { type Dispatch, dispatchesOf, type Location, type Plan } from '../engine/plan.ts';
import { byteLength } from '../engine/kernel.ts';
import { FLAGS, nonFinite } from '../kernels/non-finite.ts';

/** The named tensor that holds the flags. */
export const WATCH = 'nonFinite';

export function watch(plan: Plan, target: Target): Plan {
  const location: Location = { kind: 'slot', index: plan.slots.length };
  let mark = dispatchesOf(plan).length;
  const watched = (dispatch: Dispatch): Dispatch[] => {
    const { path, kernel, output } = dispatch;
    const x = kernel.output.type;
    const look = nonFinite({ x }, { mark: mark-- }, target);
    return [dispatch, { path, kernel: look, inputs: { x: output }, output: location }];
  };
  return {
    ...plan,
    slots: [...plan.slots, { bytes: byteLength(FLAGS), persistent: true }],
    prepare: plan.prepare.flatMap(watched),
    dispatches: plan.dispatches.flatMap(watched),
    named: { ...plan.named, [WATCH]: { location, type: FLAGS, channels: 4 } },
  };
}

/** The path of the layer that flags read back from a watched plan name; undefined where all is finite. */
export function layerOf(plan: Plan, flags: Uint32Array): string | undefined {
  const [mark = 0] = flags;
  if (mark === 0) return undefined;
  const found = dispatchesOf(plan).find(
    ({ kernel }) => kernel.name === 'nonFinite' && kernel.params['mark']?.value === mark,
  );
  return found?.path ?? 'an unknown layer';
}
