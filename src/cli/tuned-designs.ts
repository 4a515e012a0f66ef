/** Tuned designs on disk: one file for each adapter in the user's cache. Never an error. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Capabilities } from '../engine/device.ts';
import {
  adapterKey,
  type Identity,
  identityOf,
  packDesigns,
  readDesigns,
  type TunedDesigns,
} from '../tune/designs-file.ts';
import type { ClassResult } from '../tune/tune.ts';
import { nodeCache } from '../weights/node-cache.ts';
import { reasonOf } from './errors.ts';
import { userCache } from './user-cache.ts';

export interface DesignStore {
  readonly file: string;
  readonly identity: Identity;
  /** What is in effect for this adapter. */
  readonly table: TunedDesigns | undefined;
  /** A line for the user, where a file is there and not used. */
  readonly problem: string | undefined;
  /** Adds classes; the table has those known before too. `onFailure` hears why it cannot be kept. */
  save(classes: readonly ClassResult[], onFailure: (line: string) => void): Promise<void>;
}

const EXTENSION = 'json';

/** `forget` leaves out what is there; the file is replaced by the next `save`. */
export async function openDesigns(
  capabilities: Capabilities,
  { forget = false }: { readonly forget?: boolean } = {},
): Promise<DesignStore> {
  const identity = identityOf(capabilities, `dawn ${dawnVersion()}`);
  const folder = userCache('designs');
  const key = adapterKey(identity);
  const file = join(folder, `${key}.${EXTENSION}`);
  // Absent in most cases; where it cannot be read it might as well be.
  const text = forget ? undefined : await readFile(file, 'utf8').catch(() => undefined);
  const read = text === undefined ? undefined : readDesigns(text, identity);
  const table = read && 'table' in read ? read.table : undefined;
  const saved: ClassResult[] = [...(table?.classes ?? [])];
  return {
    file,
    identity,
    table,
    problem:
      read && 'problem' in read
        ? `tuned designs in ${file} are not used: ${read.problem}; invsr tune measures them anew`
        : undefined,
    async save(classes, onFailure) {
      saved.push(...classes);
      const cache = nodeCache(
        [folder],
        (reason) => onFailure(`tuned designs cannot be kept in ${file}: ${reasonOf(reason)}`),
        EXTENSION,
      );
      await cache.write(key, new TextEncoder().encode(packDesigns(identity, saved)));
    },
  };
}

/** Of npm's `webgpu`: its compiler decides which design is fast, too. */
function dawnVersion(): string {
  const require = createRequire(import.meta.url);
  const { version } = require('webgpu/package.json') as { readonly version: string };
  return version;
}
