/** The machine and the code behind a record, as far as a browser tells them. */
import type { Capabilities } from '../../src/engine/device.ts';
import { nameOf } from '../../src/engine/device.ts';
import type { Machine } from '../record.ts';

/** Replaced by the build (scripts/bench-page.mjs, esbuild `define`). */
declare const INVSR_COMMIT: string;

interface Brand {
  readonly brand: string;
  readonly version: string;
}

export function browserMachine(capabilities: Capabilities): Machine {
  const { vendor, architecture, shaderF16, isSoftware } = capabilities;
  return {
    date: new Date().toISOString().slice(0, 16),
    commit: INVSR_COMMIT,
    adapter: `${nameOf(capabilities)}${isSoftware ? ' (software)' : ''}`,
    vendor,
    architecture,
    shaderF16,
    dawn: browserName(),
    node: '',
    cpu: 'not told by browsers',
    cores: navigator.hardwareConcurrency,
  };
}

/** `Chromium 147` where the browser has client hints, else its user agent's last product. */
function browserName(): string {
  const { userAgentData } = navigator as { userAgentData?: { readonly brands: readonly Brand[] } };
  // Browsers add a made-up brand so that nobody relies on a fixed list.
  const real = userAgentData?.brands.filter(({ brand }) => !/not.?a.?brand/i.test(brand)) ?? [];
  const [best] = real.toSorted((a, b) => a.brand.length - b.brand.length);
  if (best) return `${best.brand} ${best.version}`;
  return navigator.userAgent.split(' ').at(-1) ?? 'unknown browser';
}
