/**
 * Designs for adapters on which nothing was tuned yet: what `invsr tune --json` found on others of the
 * same architecture, else of the same vendor. Only rows that two runs agree on.
 *
 * mesa/software and google/swiftshader need none: the guesses won there (docs/decisions/0008). No GPU
 * was at hand so far, so for nvidia, amd, intel, apple and qualcomm the guesses stand unmeasured.
 */
import type { Designs, Target } from '../engine/kernel.ts';

/** By `vendor/architecture` or `vendor`, as WebGPU's adapter info has them. */
export type ShippedDesigns = Readonly<Record<string, Designs>>;

const SHIPPED: ShippedDesigns = {};

export function shippedDesign(
  { vendor, architecture }: NonNullable<Target['adapter']>,
  key: string,
  shipped: ShippedDesigns = SHIPPED,
): string | undefined {
  return shipped[`${vendor}/${architecture}`]?.[key] ?? shipped[vendor]?.[key];
}
