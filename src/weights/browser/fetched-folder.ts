/**
 * A small model fetched whole into memory, such as invsr-nano beside a page: few requests, which the
 * browser's cache and a service worker keep (they do not keep ranges), and no storage.
 */
import { blobFolder, type BlobFolder } from '../folder.ts';
import { mismatch } from '../hub/checksum.ts';
import { HubError } from '../hub/error.ts';
import { bodyOf, refuse } from '../hub/http.ts';
import { together } from '../hub/limit.ts';
import { ASK, retrying } from '../hub/retry.ts';
import { digestOfBlob } from './blob-digest.ts';
import { servedModel } from './remote-model.ts';

export interface FetchFolderOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: {
    readonly loadedBytes: number;
    readonly totalBytes: number;
  }) => void;
}

/**
 * `address`: absolute, of a folder with `invsr-manifest.json`. Every file is checked against it.
 * HubError: a file is not there or not the one that the manifest tells of.
 */
export async function fetchFolder(
  address: string | URL,
  { signal, onProgress = () => {} }: FetchFolderOptions = {},
): Promise<BlobFolder> {
  const model = await servedModel(address, { signal, cache: 'default' });
  const { client, bytes: totalBytes } = model;
  const files = new Map<string, Blob>();
  for (const [path, text] of model.own) files.set(path, new Blob([text]));
  let loadedBytes = 0;
  await together(
    model.files,
    async ({ path, remote: { url, size, checksum } }, stop) => {
      const chunks: Uint8Array<ArrayBuffer>[] = [];
      const fetchOnce = async (): Promise<void> => {
        loadedBytes -= chunks.splice(0).reduce((sum, { length }) => sum + length, 0);
        const answer = await client.ask(url, { signal: stop });
        if (answer.status !== 200) throw refuse(url, answer, client);
        for await (const chunk of bodyOf(answer, url, client)) {
          chunks.push(chunk as Uint8Array<ArrayBuffer>);
          loadedBytes += chunk.length;
          onProgress({ loadedBytes, totalBytes });
        }
      };
      await retrying(fetchOnce, { policy: ASK, signal: stop });
      const blob = new Blob(chunks);
      const fault =
        blob.size === size
          ? checksum && mismatch(checksum, await digestOfBlob(blob, { ...checksum, name: url }))
          : `has ${blob.size} bytes, expected ${size}`;
      if (fault !== undefined) {
        throw new HubError(`${url}: ${fault}; load the page again`, { problem: 'damaged' });
      }
      files.set(path, blob);
    },
    signal,
  );
  return blobFolder(model.name, files);
}
