/**
 * Requests by `fetch`, which follows redirects itself. No byte for `stallMs` is a failure, which
 * browsers would wait for without end.
 *
 * `If-Range` is no CORS-safelisted header: it goes to the page's own origin only. Elsewhere the ETag
 * of the answer says the same (hub/download.ts compares it).
 */
import { HubError, TransientError } from '../hub/error.ts';
import type { Answer, HttpClient } from '../hub/http.ts';
import { fetchReason } from '../source.ts';

export interface FetchClientOptions {
  /** @default https://huggingface.co */
  readonly endpoint?: string | undefined;
  /** @default 30 s */
  readonly stallMs?: number | undefined;
  /** @default no-store: the browser's cache would be a second copy of gigabytes */
  readonly cache?: RequestCache | undefined;
}

export function fetchClient({
  endpoint = 'https://huggingface.co',
  stallMs = 30_000,
  cache = 'no-store',
}: FetchClientOptions = {}): HttpClient {
  return {
    endpoint,
    reasonOf: fetchReason,
    remedies: {
      address: `check the address ${endpoint}`,
      missing: 'check the address',
      denied:
        'download the files by hand where you may, and drop them on the page or serve them yourself',
    },
    ask: async (url, { method = 'GET', headers = {}, signal } = {}) => {
      const asked = new URL(url);
      const watch = createWatch(stallMs, signal);
      const response = await watch
        .within(
          fetch(asked, {
            method,
            headers: isOwnOrigin(asked) ? headers : without(headers, 'if-range'),
            signal: watch.signal,
            cache,
          }),
        )
        .catch((cause: unknown) => {
          signal?.throwIfAborted();
          if (!canSucceed(asked)) {
            throw new HubError(`${url}: ${INSECURE}`, { cause, problem: 'unusable' });
          }
          throw new TransientError(`${asked.host} cannot be reached: ${fetchReason(cause)}`, {
            cause,
          });
        });
      return {
        status: response.status,
        header: (name) => response.headers.get(name) ?? undefined,
        body: chunksOf(response, watch),
        discard: () => watch.stop(),
        isHub: new URL(response.url).origin === asked.origin,
      } satisfies Answer;
    },
  };
}

const INSECURE = 'a page from https:// cannot read from http://; serve the model by https too';

/** Mixed content is blocked, with the same message as a cut cable. */
const canSucceed = ({ protocol, hostname }: URL): boolean =>
  protocol === 'https:' ||
  globalThis.location?.protocol !== 'https:' ||
  ['localhost', '127.0.0.1'].includes(hostname);

const isOwnOrigin = ({ origin }: URL): boolean => globalThis.location?.origin === origin;

const without = (headers: Readonly<Record<string, string>>, name: string) =>
  Object.fromEntries(Object.entries(headers).filter(([key]) => key !== name));

interface Watch {
  readonly signal: AbortSignal;
  /** The same promise; the signal ends it where it takes too long. */
  within<T>(action: Promise<T>): Promise<T>;
  stop(): void;
}

function createWatch(milliseconds: number, outer: AbortSignal | undefined): Watch {
  const stop = new AbortController();
  const signal = outer ? AbortSignal.any([outer, stop.signal]) : stop.signal;
  return {
    signal,
    within: async (action) => {
      const timer = setTimeout(() => stop.abort(new Error('it stopped sending')), milliseconds);
      try {
        return await action;
      } finally {
        clearTimeout(timer);
      }
    },
    stop: () => stop.abort(),
  };
}

async function* chunksOf({ body }: Response, watch: Watch): AsyncGenerator<Uint8Array> {
  if (!body) return;
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await watch.within(reader.read());
    if (done) return;
    yield value;
  }
}
