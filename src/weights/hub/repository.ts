/**
 * What a repository of the hub has at a revision: commit, files, sizes, checksums, from
 *
 *   GET /api/models/<repo>/revision/<revision>?blobs=true
 *     { sha, siblings: [{ rfilename, size, blobId, lfs?: { sha256, size } }], cardData?: { license… } }
 *   HEAD /<repo>/resolve/<commit>/<path>    X-Linked-Etag or ETag, X-Linked-Size or Content-Length
 *
 * the second only for files of which the first (a mirror's) tells no size or checksum.
 */
import { type Checksum, checksumOf } from './checksum.ts';
import { plainEtag } from './etag.ts';
import { HubError } from './error.ts';
import { type Answer, type HttpClient, refuse, textOf } from './http.ts';
import { isInside } from './manifest.ts';
import { ASK, retrying, type RetryPolicy } from './retry.ts';

export interface RemoteFile {
  /** `owner/name` */
  readonly repo: string;
  readonly path: string;
  readonly url: string;
  readonly size: number;
  /** The hub's id, by which the cache names the blob: SHA-256, or git's for small files. */
  readonly id: string;
  /** Undefined where the id is no checksum (other servers). */
  readonly checksum: Checksum | undefined;
}

export interface Repository {
  readonly repo: string;
  /** As asked for: a branch, a tag or a commit. */
  readonly revision: string;
  readonly commit: string;
  /** Paths of all files. */
  readonly paths: ReadonlySet<string>;
  /** One of them, which exists. */
  file(path: string): Promise<RemoteFile>;
}

export interface RepositoryOptions {
  readonly signal?: AbortSignal | undefined;
  readonly policy?: RetryPolicy;
}

export async function readRepository(
  client: HttpClient,
  { repo, revision }: { readonly repo: string; readonly revision: string },
  { signal, policy = ASK }: RepositoryOptions = {},
): Promise<Repository> {
  const api = `${client.endpoint}/api/models/${repo}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const what = `${repo} at ${revision}`;
  const info = await retrying(
    async () => {
      const answer = await client.ask(api, { signal });
      if (answer.status !== 200) throw refuse(what, answer, client);
      return parse(await textOf(answer, what, client), what, client);
    },
    { policy, signal },
  );
  const urlOf = (path: string): string =>
    `${client.endpoint}/${repo}/resolve/${info.commit}/${path.split('/').map(encodeURIComponent).join('/')}`;
  const head = (path: string): Promise<Identity> =>
    retrying(
      async () => {
        const answer = await client.ask(urlOf(path), { method: 'HEAD', signal });
        const isMoved = answer.status >= 300 && answer.status < 400;
        if (answer.status !== 200 && !isMoved) throw refuse(`${repo}/${path}`, answer, client);
        answer.discard();
        return identityOf(answer, `${repo}/${path}`, client);
      },
      { policy, signal },
    );
  return {
    repo,
    revision,
    commit: info.commit,
    paths: new Set(info.files.keys()),
    file: async (path) => {
      const { size, id } = info.files.get(path) ?? (await head(path));
      return { repo, path, url: urlOf(path), size, id, checksum: checksumOf(id) };
    },
  };
}

interface Identity {
  readonly size: number;
  readonly id: string;
}

interface Info {
  readonly commit: string;
  readonly files: ReadonlyMap<string, Identity | undefined>;
}

type Json = Readonly<Record<string, unknown>>;
const isJson = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function parse(text: string, what: string, { remedies }: HttpClient): Info {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  const commit = isJson(json) ? json['sha'] : undefined;
  const siblings = isJson(json) ? json['siblings'] : undefined;
  if (typeof commit !== 'string' || !/^[0-9a-f]{40}$/.test(commit) || !Array.isArray(siblings)) {
    throw new HubError(
      `${what}: the answer is not the hub's (no "sha" and "siblings"); ${remedies.address} and the proxy`,
      { problem: 'unusable' },
    );
  }
  const files = siblings.filter(isJson).flatMap((sibling) => {
    const path = sibling['rfilename'];
    if (typeof path !== 'string' || !isInside(path)) return [];
    return [[path, siblingIdentity(sibling)] as const];
  });
  return { commit, files: new Map(files) };
}

function siblingIdentity(sibling: Json): Identity | undefined {
  const { size, blobId, lfs } = sibling;
  const id = isJson(lfs) ? (lfs['sha256'] ?? lfs['oid']) : blobId;
  if (!Number.isSafeInteger(size) || Number(size) < 0 || typeof id !== 'string') return undefined;
  return checksumOf(id) === undefined ? undefined : { size: Number(size), id };
}

function identityOf({ header }: Answer, what: string, { remedies }: HttpClient): Identity {
  const id = plainEtag(header('x-linked-etag') ?? header('etag'));
  const size = Number(header('x-linked-size') ?? header('content-length') ?? NaN);
  if (id === undefined || !/^[\w.-]{1,128}$/.test(id) || !Number.isSafeInteger(size)) {
    throw new HubError(
      `${what}: the server tells no ETag or no size; ${remedies.address}, it may be no mirror of the hub`,
      { problem: 'unusable' },
    );
  }
  return { size, id };
}
