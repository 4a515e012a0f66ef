/**
 * EulerDiscreteScheduler as InvSR drives it: sigmas looked up at the given timesteps, no noise added
 * on the way, the last sigma 0, so the last step lands on the predicted clean latent.
 *
 *   β = linspace(√β₀, √β₁, T)²    ᾱ = cumprod(1 − β)    σ[t] = √((1 − ᾱ[t]) / ᾱ[t])
 *   x ← x + ε(x / √(σᵢ² + 1), tᵢ) · (σᵢ₊₁ − σᵢ)
 *
 * https://github.com/huggingface/diffusers/blob/v0.30.3/src/diffusers/schedulers/scheduling_euler_discrete.py
 */
import { TimestepError } from './errors.ts';
import type { SchedulerConfig } from './config.ts';

/** The official lists for one to five steps, before InvSR's shift by one. */
export const TIMESTEPS: Readonly<Record<number, readonly number[]>> = {
  1: [200],
  2: [200, 100],
  3: [200, 100, 50],
  4: [200, 150, 100, 50],
  5: [250, 200, 150, 100, 50],
};

/**
 * The official list for `steps` (1 to 5), scaled to begin at `start` and rounded; strictly descending to 1 at
 * the least. RangeError: there is no such list, or `start` is no whole number from `steps` on.
 */
export function timestepsOf(steps = 1, start?: number): readonly number[] {
  const official = TIMESTEPS[steps];
  if (!official) throw new RangeError(`steps is ${steps}, expected a whole number from 1 to 5`);
  const first = start ?? official[0] ?? 0;
  if (!Number.isInteger(first) || first < steps) {
    throw new RangeError(
      `startTimestep is ${first}, expected a whole number from ${steps} on, such as 200`,
    );
  }
  const scaled: number[] = [];
  for (const [i, t] of official.entries()) {
    const rounded = Math.round((t * first) / (official[0] ?? 1));
    // Where they are few, rounding must neither join two of them nor leave none for the last.
    scaled.push(Math.max(steps - i, Math.min(rounded, (scaled[i - 1] ?? Infinity) - 1)));
  }
  return scaled;
}

export interface Step {
  /** What the networks are given: the user's timestep minus one. */
  readonly timestep: number;
  readonly sigma: number;
  readonly nextSigma: number;
}

/** σ for every training timestep, in float32 as the official code computes it. */
export function sigmaTable({ betaStart, betaEnd, trainTimesteps }: SchedulerConfig): Float32Array {
  const { fround, sqrt } = Math;
  const from = fround(sqrt(betaStart));
  const to = fround(sqrt(betaEnd));
  const step = fround((to - from) / (trainTimesteps - 1));
  let product = 1;
  return Float32Array.from({ length: trainTimesteps }, (_, i) => {
    // torch.linspace fills the upper half from its end.
    const root =
      i < trainTimesteps / 2
        ? fround(from + fround(step * i))
        : fround(to - fround(step * (trainTimesteps - 1 - i)));
    product *= fround(1 - fround(root * root)); // torch.cumprod accumulates f32 in f64 on the CPU
    const alpha = fround(product);
    return fround(sqrt(fround(fround(1 - alpha) / alpha)));
  });
}

/** `timesteps`: descending, each in 1..T. */
export function schedule(timesteps: readonly number[], config: SchedulerConfig): readonly Step[] {
  const limit = config.trainTimesteps;
  const bad = timesteps.find((t) => !Number.isInteger(t) || t < 1 || t > limit);
  if (bad !== undefined || timesteps.length === 0) {
    throw new TimestepError(
      `timesteps are [${timesteps.join(',')}], expected whole numbers from 1 to ${limit}`,
    );
  }
  if (timesteps.some((t, i) => i > 0 && t >= (timesteps[i - 1] ?? 0))) {
    throw new TimestepError(
      `timesteps are [${timesteps.join(',')}], expected a strictly descending list such as 250,150,50`,
    );
  }
  const table = sigmaTable(config);
  const sigma = (i: number): number => {
    const t = timesteps[i];
    return t === undefined ? 0 : (table[t - 1] ?? 0);
  };
  return timesteps.map((t, i) => ({ timestep: t - 1, sigma: sigma(i), nextSigma: sigma(i + 1) }));
}
