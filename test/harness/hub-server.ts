/**
 * A server on this machine that speaks the hub's protocol over small files: the model API, /resolve
 * with redirects to a second origin, ranges, ETags; and every way in which that goes wrong.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HubFile {
  readonly bytes: Buffer;
  /** Large files are redirected to the file server; the others come from the hub itself. */
  readonly isLarge: boolean;
  /** What the list says, where that is not so. */
  readonly listedBytes?: number;
}

export interface HubRepository {
  commit: string;
  readonly files: Map<string, HubFile>;
  /** Branches and tags besides main. */
  readonly refs?: Readonly<Record<string, string>>;
  /** Needs this token. */
  readonly token?: string;
}

/** A request as the server saw it. */
export interface Seen {
  readonly at: 'hub' | 'files';
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
}

/** What goes wrong with one answer. */
export interface Fault {
  /** Instead of the answer. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** The connection breaks after so many bytes of the body. */
  readonly cutAfter?: number;
  /** Nothing more comes after so many bytes of the body. */
  readonly stallAfter?: number;
  readonly ignoresRange?: boolean;
  readonly hasWrongBytes?: boolean;
  readonly etag?: string;
  /** Content-Range's total. */
  readonly total?: number;
  /** A range that starts somewhere else. */
  readonly shift?: number;
  /** Content-Length. */
  readonly length?: number;
}

const digests = new WeakMap<Buffer, { readonly sha256: string; readonly git: string }>();

/** Hashed once: the server names files by it in every answer. */
function digestsOf(bytes: Buffer): { readonly sha256: string; readonly git: string } {
  const known = digests.get(bytes);
  if (known) return known;
  const hash = (name: string, ...parts: readonly (string | Buffer)[]): string =>
    parts.reduce((h, part) => h.update(part), createHash(name)).digest('hex');
  const made = {
    sha256: hash('sha256', bytes),
    git: hash('sha1', `blob ${bytes.length}\0`, bytes),
  };
  digests.set(bytes, made);
  return made;
}
const sha256 = (bytes: Buffer): string => digestsOf(bytes).sha256;
const gitSha1 = (bytes: Buffer): string => digestsOf(bytes).git;
/** The name of its blob in the cache. */
export const idOf = ({ bytes, isLarge }: HubFile): string =>
  isLarge ? sha256(bytes) : gitSha1(bytes);

export class HubServer {
  readonly repositories = new Map<string, HubRepository>();
  readonly requests: Seen[] = [];
  /** Asked before every answer. */
  fault: (seen: Seen) => Fault | undefined = () => undefined;
  /** The API tells names only, as simple mirrors do. */
  isPlainMirror = false;
  readonly #hub: Server;
  readonly #files: Server;

  constructor() {
    this.#hub = createServer((request, response) => this.#answerHub(request, response));
    this.#files = createServer((request, response) => this.#answerFiles(request, response));
  }

  async start(): Promise<void> {
    for (const server of [this.#hub, this.#files]) {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    }
  }

  async stop(): Promise<void> {
    for (const server of [this.#hub, this.#files]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  reset(): void {
    this.requests.length = 0;
    this.fault = () => undefined;
    this.isPlainMirror = false;
  }

  get endpoint(): string {
    return originOf(this.#hub);
  }

  /** Requests for bytes of files. */
  get transfers(): readonly Seen[] {
    return this.requests.filter((r) => r.method === 'GET' && !r.path.startsWith('/api/'));
  }

  #see(
    at: 'hub' | 'files',
    { method = '', url = '', headers }: IncomingMessage,
    response: ServerResponse,
  ) {
    // To pages of any origin, as the hub does; it does not answer preflights for If-Range.
    response.setHeader('access-control-allow-origin', '*');
    response.setHeader('access-control-expose-headers', 'Content-Range, ETag, X-Linked-ETag');
    const seen: Seen = { at, method, path: url, headers };
    this.requests.push(seen);
    return { seen, fault: this.fault(seen) ?? {} };
  }

  #answerHub(request: IncomingMessage, response: ServerResponse): void {
    const { seen, fault } = this.#see('hub', request, response);
    if (fault.status !== undefined) return refuse(response, fault.status, fault.headers);
    const url = new URL(seen.path, this.endpoint);
    const api = /^\/api\/models\/([^/]+\/[^/]+)\/(?:revision|tree)\/(.+)$/.exec(url.pathname);
    const file = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(url.pathname);
    const name = (api ?? file)?.[1] ?? '';
    const repository = this.repositories.get(name);
    if (!repository) return refuse(response, 401, { 'x-error-code': 'RepoNotFound' });
    const { authorization } = request.headers;
    if (repository.token !== undefined && authorization !== `Bearer ${repository.token}`) {
      return refuse(response, authorization === undefined ? 401 : 403, {
        'x-error-code': 'GatedRepo',
        'x-error-message': `Access to model ${name} is restricted.`,
      });
    }
    const { commit, refs = {} } = repository;
    const asked = decodeURIComponent((api ?? file)?.[2] ?? '');
    const known: Readonly<Record<string, string>> = { main: commit, [commit]: commit, ...refs };
    const resolved = known[asked];
    if (resolved === undefined) {
      return refuse(response, 404, { 'x-error-code': 'RevisionNotFound' });
    }
    if (api && url.pathname.includes('/tree/')) {
      const entries = [...repository.files].map(([path, f]) => treeEntry(path, f));
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(entries));
      return;
    }
    if (api) {
      const siblings = [...repository.files].map(([rfilename, f]) => this.#sibling(rfilename, f));
      const body = JSON.stringify({ id: name, sha: resolved, siblings, gated: false });
      response.writeHead(200, { 'content-type': 'application/json' }).end(body);
      return;
    }
    const found = repository.files.get(decodeURIComponent(file?.[3] ?? ''));
    if (!found) return refuse(response, 404, { 'x-error-code': 'EntryNotFound' });
    response.setHeader('x-repo-commit', resolved);
    if (!found.isLarge) return serve(request, response, found, fault);
    response
      .writeHead(302, {
        // Another host, not only another port: clients look at either.
        location: `${originOf(this.#files, 'localhost')}/${sha256(found.bytes)}?signature=1`,
        'x-linked-etag': `"${sha256(found.bytes)}"`,
        'x-linked-size': String(found.bytes.length),
      })
      .end();
  }

  #sibling(rfilename: string, file: HubFile): object {
    if (this.isPlainMirror) return { rfilename };
    const { bytes, isLarge } = file;
    const lfs = { sha256: sha256(bytes), size: bytes.length, pointerSize: 134 };
    const blobId = isLarge ? 'a'.repeat(40) : gitSha1(bytes);
    return { rfilename, size: file.listedBytes ?? bytes.length, blobId, ...(isLarge && { lfs }) };
  }

  #answerFiles(request: IncomingMessage, response: ServerResponse): void {
    const { seen, fault } = this.#see('files', request, response);
    if (fault.status !== undefined) return refuse(response, fault.status, fault.headers);
    const id = seen.path.slice(1).split('?')[0];
    const files = [...this.repositories.values()].flatMap(({ files }) => [...files.values()]);
    const found = files.find((f) => f.isLarge && sha256(f.bytes) === id);
    if (!found) return refuse(response, 404);
    serve(request, response, found, fault);
  }
}

/** As Python's snapshot_download lists a repository. */
function treeEntry(path: string, file: HubFile): object {
  const { length: size } = file.bytes;
  const lfs = { oid: sha256(file.bytes), size, pointerSize: 134 };
  const oid = file.isLarge ? 'a'.repeat(40) : gitSha1(file.bytes);
  return { type: 'file', path, size, oid, ...(file.isLarge && { lfs }) };
}

const originOf = (server: Server, host = '127.0.0.1'): string =>
  `http://${host}:${(server.address() as AddressInfo).port}`;

function refuse(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, headers).end('<html>not what you wanted</html>');
}

function serve(
  request: IncomingMessage,
  response: ServerResponse,
  file: HubFile,
  fault: Fault,
): void {
  const { bytes } = file;
  // The file server names files by its own ETag, which is not the hub's id.
  const etag =
    fault.etag ?? (file.isLarge ? `"s3-${sha256(bytes).slice(0, 8)}"` : `"${idOf(file)}"`);
  const ifRange = request.headers['if-range'];
  const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
  const isRange = match && !fault.ignoresRange && (ifRange === undefined || ifRange === etag);
  const begin = isRange ? Number(match[1]) : 0;
  if (isRange && begin >= bytes.length) {
    response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
    return;
  }
  const end = isRange ? Math.min(bytes.length, Number(match[2]) + 1) : bytes.length;
  const body = Buffer.from(bytes.subarray(begin, end));
  if (fault.hasWrongBytes && body.length > 0) body[0] = body[0]! ^ 255;
  const from = begin + (fault.shift ?? 0);
  response.writeHead(isRange ? 206 : 200, {
    etag,
    'content-length': fault.length ?? body.length,
    ...(isRange && { 'content-range': `bytes ${from}-${end - 1}/${fault.total ?? bytes.length}` }),
  });
  const upTo = fault.cutAfter ?? fault.stallAfter;
  if (request.method === 'HEAD') response.end();
  else if (upTo !== undefined) {
    response.write(body.subarray(0, upTo), () => {
      // A moment later: a client drops what it has not read when the connection breaks, and may be slow to read.
      if (fault.cutAfter !== undefined) setTimeout(() => response.destroy(), upTo > 0 ? 300 : 0);
    });
  } else if (fault.length !== undefined && fault.length > body.length) {
    response.write(body); // the rest never comes
  } else response.end(body);
}
