/**
 * What was tuned on one adapter, as JSON that may be kept anywhere: a file, localStorage, IndexedDB.
 *
 * A table is worth something only where nothing has changed since: the adapter, its driver (WebGPU's
 * `description`), what the device offers, the WebGPU implementation, and our kernels. Otherwise
 * `readDesigns` says what differs, and the caller goes on without.
 */
import { type Capabilities, WANTED_FEATURES } from '../engine/device.ts';
import type { Designs } from '../engine/kernel.ts';
import { KERNEL_HASH } from './kernel-hash.ts';
import type { ClassResult } from './tune.ts';

const FORMAT = 'invsr designs 1';

/** What must be the same. */
export interface Identity {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  /** Has the driver's version where the implementation tells it. */
  readonly driver: string;
  readonly features: string;
  readonly subgroups: string;
  /** The WebGPU implementation, e.g. `dawn 0.6.2`, or a browser's user agent. */
  readonly runtime: string;
  /** Hash of our kernels. */
  readonly kernels: string;
}

export interface TunedDesigns {
  readonly identity: Identity;
  /** ISO 8601. */
  readonly measuredAt: string;
  /** For createContext. */
  readonly designs: Designs;
  /** Times behind them, by key. */
  readonly classes: readonly ClassResult[];
}

export const identityOf = (
  capabilities: Capabilities,
  runtime: string,
  kernels = KERNEL_HASH,
): Identity => {
  const { vendor, architecture, device, description, features } = capabilities;
  const { subgroupMinSize, subgroupMaxSize } = capabilities;
  return {
    vendor,
    architecture,
    device,
    driver: description,
    // Of an adapter the same as of a device made on it.
    features: WANTED_FEATURES.filter((name) => features.includes(name)).join(' '),
    subgroups: `${subgroupMinSize} to ${subgroupMaxSize}`,
    runtime,
    kernels,
  };
};

/** A name for the adapter's table: of its lasting properties, fit for a file. */
export const adapterKey = ({ vendor, architecture, device, driver }: Identity): string =>
  [vendor, architecture, device || driver]
    .join(' ')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '') || 'unnamed';

/** Later classes replace earlier ones of the same key. */
export function packDesigns(
  identity: Identity,
  classes: readonly ClassResult[],
  measuredAt = new Date().toISOString(),
): string {
  const distinct = [...new Map(classes.map((one) => [one.key, one])).values()];
  const designs = Object.fromEntries(distinct.map(({ key, chosen }) => [key, chosen]));
  return JSON.stringify(
    { format: FORMAT, identity, measuredAt, designs, classes: distinct },
    null,
    1,
  );
}

export type ReadDesigns =
  | { readonly table: TunedDesigns }
  /** Why it is not used, for people; `damaged` ones are worth replacing without a word. */
  | { readonly problem: string };

/** `text` as `packDesigns` made it for the same adapter, driver, implementation and kernels. */
export function readDesigns(text: string, identity: Identity): ReadDesigns {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return { problem: 'it is damaged' };
  }
  if (!isTable(found)) return { problem: 'it is damaged, or of another version' };
  for (const [name, now] of Object.entries(identity) as [keyof Identity, string][]) {
    const then = found.identity[name];
    if (then !== now) return { problem: `${WORDS[name]} was "${then}" and is "${now}"` };
  }
  return { table: found };
}

const WORDS: Readonly<Record<keyof Identity, string>> = {
  vendor: 'the vendor',
  architecture: 'the architecture',
  device: 'the device',
  driver: 'the driver',
  features: 'the list of features',
  subgroups: 'the size of subgroups',
  runtime: 'the WebGPU implementation',
  kernels: 'the version of the kernels',
};

function isTable(value: unknown): value is TunedDesigns {
  if (!isRecord(value) || value['format'] !== FORMAT) return false;
  const { identity, designs, classes, measuredAt } = value;
  return (
    isRecord(identity) &&
    Object.keys(WORDS).every((name) => typeof identity[name] === 'string') &&
    isRecord(designs) &&
    Object.values(designs).every((design) => typeof design === 'string') &&
    Array.isArray(classes) &&
    classes.every((one) => isRecord(one) && typeof one['key'] === 'string') &&
    typeof measuredAt === 'string'
  );
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
