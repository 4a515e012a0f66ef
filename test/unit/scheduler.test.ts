/** Sigmas and steps against the official scheduler's numbers. */
import { expect, test } from 'vitest';
import { schedule, sigmaTable, TIMESTEPS } from '../../src/invsr/scheduler.ts';
import { openGolden } from '../harness/goldens.ts';

const CONFIG = { betaStart: 0.00085, betaEnd: 0.012, trainTimesteps: 1000 };

test('all 1000 sigmas', async () => {
  const golden = await openGolden('networks/scheduler');
  const alphas = golden.f32('alphas_cumprod').data;
  const sigmas = sigmaTable(CONFIG);
  // Three roundings to f32 (1 − ᾱ, quotient, root) of 6e-8 each, and the last bit of ᾱ.
  for (const [t, alpha] of alphas.entries()) {
    const expected = Math.sqrt((1 - alpha) / alpha);
    expect(Math.abs(sigmas[t]! - expected) / expected).toBeLessThan(3e-7);
  }
  expect(sigmas[999]).toBeCloseTo(14.614645, 4);
});

test.each([1, 2, 3, 4, 5])('%i steps', async (count) => {
  const golden = await openGolden('networks/scheduler');
  const timesteps = golden.at(`s${count}.timesteps`).data;
  const sigmas = golden.f32(`s${count}.sigmas`).data;
  const steps = schedule(TIMESTEPS[count]!, CONFIG);
  expect(steps.map(({ timestep }) => timestep)).toEqual(
    Array.from(timesteps as Float32Array, Number),
  );
  for (const [i, { sigma, nextSigma }] of steps.entries()) {
    expect(Math.abs(sigma - sigmas[i]!)).toBeLessThan(1e-6);
    expect(Math.abs(nextSigma - sigmas[i + 1]!)).toBeLessThan(1e-6);
  }
  expect(steps.at(-1)!.nextSigma).toBe(0);
});

test.each([
  [[], 'whole numbers from 1 to 1000'],
  [[0], 'whole numbers from 1 to 1000'],
  [[1001], 'whole numbers from 1 to 1000'],
  [[1.5], 'whole numbers from 1 to 1000'],
  [[100, 200], 'strictly descending'],
  [[100, 100], 'strictly descending'],
])('refuses %j', (timesteps, message) => {
  expect(() => schedule(timesteps, CONFIG)).toThrow(message);
});
