/**
 * A folder as a static server gives it, to this machine only: MIME types, byte ranges, compression,
 * nothing cached. `/` is its index.html.
 */
import type { Socket } from 'node:net';
import { resolve } from 'node:path';
import { preview } from 'vite';

/** What a server has sent: bytes on the wire, headers included. */
export interface Traffic {
  readonly bytes: number;
  readonly requests: number;
}

export interface Served {
  /** With a slash at its end. */
  readonly url: string;
  /** Since it is there. */
  readonly traffic: () => Traffic;
  readonly close: () => Promise<void>;
}

/** `headers` come with every answer, e.g. a content security policy. */
export async function serve(
  folder: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Served> {
  const server = await preview({
    configFile: false,
    logLevel: 'error',
    // No page for addresses that do not exist.
    appType: 'mpa',
    build: { outDir: resolve(folder) },
    preview: { host: '127.0.0.1', port: 0, headers: { 'Cache-Control': 'no-store', ...headers } },
  });
  const [url] = server.resolvedUrls?.local ?? [];
  if (url === undefined) throw new Error(`${folder} is not served`);
  const sockets = new Set<Socket>();
  let requests = 0;
  server.httpServer.on('connection', (socket: Socket) => sockets.add(socket));
  server.httpServer.on('request', () => requests++);
  const traffic = (): Traffic => ({
    bytes: [...sockets].reduce((sum, { bytesWritten }) => sum + bytesWritten, 0),
    requests,
  });
  return { url, traffic, close: () => server.close() };
}
