/** Where what can be made again is kept between runs. */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** A folder of its own for each kind of thing. */
export const userCache = (kind: 'prompts' | 'designs'): string =>
  join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'invsr', kind);
