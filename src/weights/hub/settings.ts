/**
 * The environment as huggingface_hub reads it: HF_ENDPOINT, HF_TOKEN or the token file, HF_HOME,
 * HF_HUB_CACHE, HF_HUB_OFFLINE. Proxies (HTTPS_PROXY, NO_PROXY) are client.ts's.
 */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { HubSettingError } from './error.ts';

export interface HubSettings {
  /** Without a slash at the end. */
  readonly endpoint: string;
  readonly token: string | undefined;
  /** Shared with Python; ours lies in `<home>/invsr`. */
  readonly home: string;
  /** The folder of `models--owner--name` folders. */
  readonly cache: string;
  readonly isOffline: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

export async function readSettings(env: Environment = process.env): Promise<HubSettings> {
  const folder = (path: string): string => resolve(expand(path, env));
  const userCache = env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const home = folder(env['HF_HOME'] || join(userCache, 'huggingface'));
  const cache = env['HF_HUB_CACHE'] || env['HUGGINGFACE_HUB_CACHE'] || join(home, 'hub');
  const tokenFile = folder(env['HF_TOKEN_PATH'] || join(home, 'token'));
  const token = env['HF_TOKEN'] || env['HUGGING_FACE_HUB_TOKEN'] || (await readToken(tokenFile));
  return {
    endpoint: endpointOf(env['HF_ENDPOINT'] || 'https://huggingface.co'),
    token: tokenOf(token),
    home,
    cache: folder(cache),
    isOffline: isTrue(env['HF_HUB_OFFLINE'] || env['TRANSFORMERS_OFFLINE'] || ''),
  };
}

const isTrue = (value: string): boolean => ['1', 'ON', 'YES', 'TRUE'].includes(value.toUpperCase());

const readToken = (file: string): Promise<string> => readFile(file, 'utf8').catch(() => '');

/** It travels in a header: a stray line end would be an error without a hint. */
function tokenOf(text: string): string | undefined {
  const token = text.trim();
  if (/[^\x21-\x7e]/.test(token)) {
    throw new HubSettingError(
      'HF_TOKEN (or the token file in HF_HOME) has blanks or other characters that no token has; copy it again',
    );
  }
  return token === '' ? undefined : token;
}

function endpointOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new HubSettingError(
      `HF_ENDPOINT is "${text}", expected an address such as https://huggingface.co`,
    );
  }
  return text.replace(/\/+$/, '');
}

/** `~` and `$NAME`, as Python expands them. */
const expand = (path: string, env: Environment): string =>
  path
    .replace(/^~(?=$|[/\\])/, homedir())
    .replace(/\$(\w+)|\$\{(\w+)\}/g, (whole, a: string, b: string) => env[a ?? b] ?? whole);
