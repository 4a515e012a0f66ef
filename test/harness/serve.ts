/**
 * A folder as a static server gives it, to this machine only: MIME types, byte ranges, compression,
 * nothing cached. `/` is its index.html.
 */
import { resolve } from 'node:path';
import { preview } from 'vite';

export interface Served {
  /** With a slash at its end. */
  readonly url: string;
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
  return { url, close: () => server.close() };
}
