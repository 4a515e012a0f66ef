/**
 * What transfers need of an HTTP client. Node's is client.ts, the browser's ../browser/fetch-client.ts.
 */
import { HubError, TransientError } from './error.ts';
import { retryAfterOf } from './retry.ts';

export interface Answer {
  readonly status: number;
  /** Of the last answer, else of the first redirect that has it (`x-linked-etag`, `x-repo-commit`). */
  readonly header: (name: string) => string | undefined;
  /** Read once, or discarded. */
  readonly body: AsyncIterable<Uint8Array>;
  discard(): void;
  /** It came from the origin that was asked, not from one it redirects to. */
  readonly isHub: boolean;
}

export interface AskOptions {
  readonly method?: 'GET' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpClient {
  /** Of the hub. */
  readonly endpoint: string;
  /**
   * The answer after redirects, whatever its status. TransientError where there is no answer. HEAD
   * may stop at another origin: the hub's own headers say it all.
   */
  ask(url: string, options?: AskOptions): Promise<Answer>;
  /** Why there was no answer, or no more of it, in words. */
  reasonOf(error: unknown): string;
  /** What to do, as parts of sentences. */
  readonly remedies: {
    /** The address may be wrong. */
    readonly address: string;
    /** Nothing is there. */
    readonly missing: string;
    /** Access is denied. */
    readonly denied: string;
  };
}

/** TransientError for what a later try may change, HubError for the rest. Discards the body. */
export function refuse(what: string, answer: Answer, { remedies }: HttpClient): Error {
  const { status, header, isHub } = answer;
  answer.discard();
  const problem = header('x-error-message') ?? header('x-error-code');
  const told = `${what}: HTTP ${status}${problem === undefined ? '' : ` (${problem})`}`;
  // Signed addresses of the file servers expire; the hub gives new ones.
  const isExpired = !isHub && (status === 401 || status === 403);
  if (isExpired || status === 408 || status === 425 || status === 429 || status >= 500) {
    const retryAfterMs = retryAfterOf(header('retry-after'));
    return new TransientError(told, { problem: 'refused', retryAfterMs });
  }
  if (status === 401 || status === 403) {
    return new HubError(`${told}: access denied; ${remedies.denied}`, { problem: 'denied' });
  }
  if (status === 404) {
    return new HubError(`${told}: not found; ${remedies.missing}`, { problem: 'missing' });
  }
  return new HubError(`${told}; an answer that was not expected`, { problem: 'unusable' });
}

/** The body, read to its end; TransientError where it breaks off. */
export async function* bodyOf(
  { body }: Answer,
  what: string,
  client: HttpClient,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body) yield chunk;
  } catch (cause) {
    throw new TransientError(`${what}: ${client.reasonOf(cause)}`, { cause });
  }
}

/** The whole of a small answer. */
export async function textOf(answer: Answer, what: string, client: HttpClient): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of bodyOf(answer, what, client)) {
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
