/**
 * Designs for adapters on which nothing was tuned yet: what `invsr tune --json` found on others of the
 * same architecture, else of the same vendor. Only measured rows, each with the command that
 * measured it.
 *
 * No GPU was at hand so far: nvidia, amd, intel, apple and qualcomm have no rows, and the factories'
 * first candidates stand for them.
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
