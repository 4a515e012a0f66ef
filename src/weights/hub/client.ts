/**
 * Requests to the hub and to where it redirects. The token goes to the hub's own origin and nowhere
 * else; proxies come from the environment. undici's own `request`, because the dispatcher for
 * proxies must be of the same undici, and Node's global fetch brings another.
 */
import type { Readable } from 'node:stream';
import { EnvHttpProxyAgent, request } from 'undici';
import { HubError, TransientError } from './error.ts';
import { retryAfterOf } from './retry.ts';
import type { HubSettings } from './settings.ts';

export interface Answer {
  readonly status: number;
  /** Of the last answer, else of the first redirect that has it (`x-linked-etag`, `x-repo-commit`). */
  readonly header: (name: string) => string | undefined;
  readonly body: Readable;
  /** It came from the hub's own origin. */
  readonly isHub: boolean;
}

export interface AskOptions {
  readonly method?: 'GET' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

export interface HubClient {
  readonly endpoint: string;
  readonly hasToken: boolean;
  /**
   * The answer after redirects, whatever its status. HEAD stops at another origin: the hub's own
   * headers say it all. TransientError where there is no answer.
   */
  ask(url: string, options?: AskOptions): Promise<Answer>;
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
    hasToken: token !== undefined,
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
          return { status: statusCode, header, body, isHub };
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

/** TransientError for what a later try may change, HubError for the rest. Discards the body. */
export function refuse(what: string, answer: Answer, { hasToken, endpoint }: HubClient): Error {
  const { status, header, isHub } = answer;
  answer.body.on('error', () => {}).destroy();
  const problem = header('x-error-message') ?? header('x-error-code');
  const told = `${what}: HTTP ${status}${problem === undefined ? '' : ` (${problem})`}`;
  // Signed addresses of the file servers expire; the hub gives new ones.
  const isExpired = !isHub && (status === 401 || status === 403);
  if (isExpired || status === 408 || status === 425 || status === 429 || status >= 500) {
    return new TransientError(told, { retryAfterMs: retryAfterOf(header('retry-after')) });
  }
  if (status === 401 || status === 403) {
    const remedy = hasToken
      ? 'the token of HF_TOKEN or HF_HOME is not valid or may not read it'
      : 'set HF_TOKEN to a token of your account';
    return new HubError(
      `${told}: access denied; accept the licence on its page at ${endpoint} if it has one, and ${remedy}`,
    );
  }
  if (status === 404) {
    return new HubError(`${told}: not found; check HF_ENDPOINT (${endpoint}) and --revision`);
  }
  return new HubError(`${told}; an answer that was not expected`);
}

/** Why there was no answer, in words; undici's messages name its own parts. */
export function networkReason(error: unknown): string {
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
