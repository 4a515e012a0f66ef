/**
 * Requests to the hub and to where it redirects. The token goes to the hub's own origin and nowhere
 * else; proxies come from the environment. undici's own `request`, because the dispatcher for
 * proxies must be of the same undici, and Node's global fetch brings another.
 */
import { EnvHttpProxyAgent, request } from 'undici';
import { HubError, TransientError } from './error.ts';
import type { AskOptions, HttpClient } from './http.ts';
import type { HubSettings } from './settings.ts';

export interface HubClient extends HttpClient {
  /** Ends all connections. */
  close(): Promise<void>;
}

export interface ClientOptions extends Pick<HubSettings, 'endpoint' | 'token'> {
  /** No byte for so long is a failure. @default 30 s */
  readonly stallMs?: number;
}

const MAX_REDIRECTS = 5;
const isRedirect = (status: number): boolean => [301, 302, 303, 307, 308].includes(status);

export function createClient({ endpoint, token, stallMs = 30_000 }: ClientOptions): HubClient {
  const home = new URL(endpoint).origin;
  const limits = { headersTimeout: stallMs, bodyTimeout: stallMs };
  const dispatcher = new EnvHttpProxyAgent({ ...limits, connect: { timeout: stallMs } });

  const once = async (url: URL, { method = 'GET', headers, signal }: AskOptions) => {
    const isHub = url.origin === home;
    return request(url, {
      method,
      dispatcher,
      ...limits,
      ...(signal && { signal }),
      headers: {
        'user-agent': 'invsr-webgpu',
        // Ranges and sizes are of the file as it is.
        'accept-encoding': 'identity',
        ...headers,
        ...(isHub && token !== undefined && { authorization: `Bearer ${token}` }),
      },
    }).catch((cause: unknown) => {
      signal?.throwIfAborted();
      throw new TransientError(`${url.host} cannot be reached: ${networkReason(cause)}`, { cause });
    });
  };

  return {
    endpoint,
    reasonOf: networkReason,
    remedies: {
      address: 'check HF_ENDPOINT',
      missing: `check HF_ENDPOINT (${endpoint}) and --revision`,
      denied: `accept the licence on its page at ${endpoint} if it has one, and ${token === undefined ? 'set HF_TOKEN to a token of your account' : 'the token of HF_TOKEN or HF_HOME is not valid or may not read it'}`,
    },
    async ask(url, options = {}) {
      const seen = new Map<string, string>();
      let at = new URL(url);
      for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
        const { statusCode, headers, body } = await once(at, options);
        for (const [name, value] of Object.entries(headers)) {
          const first = Array.isArray(value) ? value[0] : value;
          if (first !== undefined && !seen.has(name)) seen.set(name, first);
        }
        const own = headers;
        const header = (name: string): string | undefined => {
          const value = own[name];
          if (typeof value === 'string') return value;
          return name.startsWith('x-') ? seen.get(name) : undefined;
        };
        const isHub = at.origin === home;
        const location = header('location');
        const next = location === undefined ? undefined : new URL(location, at);
        const stays = options.method === 'HEAD' && next !== undefined && next.origin !== home;
        if (!isRedirect(statusCode) || next === undefined || stays) {
          const discard = (): void => {
            if (!body.destroyed) body.on('error', () => {}).destroy();
          };
          return { status: statusCode, header, body, discard, isHub };
        }
        await body.dump();
        if (at.protocol === 'https:' && next.protocol !== 'https:') {
          throw new HubError(`${url} redirects to ${next.origin}, which is not encrypted; refused`);
        }
        at = next;
      }
      throw new HubError(`${url} redirects more than ${MAX_REDIRECTS} times; check HF_ENDPOINT`);
    },
    close: () => dispatcher.destroy(),
  };
}

/** Why there was no answer, in words; undici's messages name its own parts. */
function networkReason(error: unknown): string {
  const known: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'connection refused',
    ECONNRESET: 'the connection was cut',
    ENOTFOUND: 'no such host (is there a network?)',
    EAI_AGAIN: 'no such host (is there a network?)',
    UND_ERR_SOCKET: 'the connection was cut',
    UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
    UND_ERR_HEADERS_TIMEOUT: 'no answer in time',
    UND_ERR_BODY_TIMEOUT: 'it stopped sending',
    UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the connection was cut',
  };
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return known[code] ?? (error instanceof Error ? error.message : String(error));
}
