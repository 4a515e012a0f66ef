/**
 * Which files a model on a server consists of, with sizes, checksums and licences: from the table of
 * models and the hub's API, or from the manifest in a folder that anyone serves.
 */
import { checksumOf } from '../hub/checksum.ts';
import { HubError } from '../hub/error.ts';
import { type HttpClient, refuse, textOf } from '../hub/http.ts';
import { MANIFEST, parseManifest } from '../hub/manifest.ts';
import { HUB_MODELS, type HubModel, type Licence, targetOf } from '../hub/models.ts';
import { readRepository, type RemoteFile } from '../hub/repository.ts';
import { ASK, retrying } from '../hub/retry.ts';
import { fetchClient, type FetchClientOptions } from './fetch-client.ts';

export interface RemoteModel {
  readonly name: string;
  /** To be shown, and agreed to, before the download. */
  readonly licences: readonly ModelLicence[];
  readonly files: readonly RemoteModelFile[];
  /** Files that come with this library, by path in the model's folder. */
  readonly own: ReadonlyMap<string, string>;
  /** Of all files. */
  readonly bytes: number;
  readonly client: HttpClient;
}

export interface ModelLicence extends Licence {
  /** Whose files it is about: `owner/name` on the hub. */
  readonly repo: string;
}

export interface RemoteModelFile {
  /** In the model's folder, e.g. `unet/config.json`. */
  readonly path: string;
  readonly remote: RemoteFile;
}

export interface RemoteModelOptions extends FetchClientOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * Folders that are not needed: `['text_encoder', 'tokenizer']` where prompt states are at hand.
   * @default none
   */
  readonly without?: readonly string[];
}

const licencesOf = (model: HubModel | undefined): ModelLicence[] =>
  (model?.sources ?? []).map(({ repo, licence }) => ({ repo, ...licence }));

const modelOf = (parts: Omit<RemoteModel, 'bytes'>): RemoteModel => ({
  ...parts,
  bytes: parts.files.reduce((sum, { remote }) => sum + remote.size, 0),
});

/**
 * A model of the hub by its name, `sd-turbo`, as its branch `main` has it now. HubError where there is
 * no such model, or the hub does not answer.
 */
export async function hubModel(
  name: string,
  { signal, without = [], ...options }: RemoteModelOptions = {},
): Promise<RemoteModel> {
  const model = HUB_MODELS.find((known) => known.name === name);
  if (!model) {
    const names = HUB_MODELS.map((known) => known.name).join(', ');
    throw new HubError(`${name} is no model that can be fetched; expected ${names}`);
  }
  const client = fetchClient(options);
  const files = await Promise.all(
    model.sources.map(async ({ repo, parts }) => {
      const repository = await readRepository(client, { repo, revision: 'main' }, { signal });
      const found: RemoteModelFile[] = [];
      for (const part of parts.filter(({ folder }) => !without.includes(folder))) {
        const path = part.candidates.find((candidate) => repository.paths.has(candidate));
        if (path !== undefined) {
          found.push({ path: targetOf(part, path), remote: await repository.file(path) });
        } else if (part.isOptional !== true) {
          throw new HubError(
            `${repo} has no ${part.candidates.join(' and no ')} any more; a newer version of this page may know where they are`,
            { problem: 'missing' },
          );
        }
      }
      return found;
    }),
  );
  return modelOf({
    name,
    licences: licencesOf(model),
    files: files.flat(),
    own: model.own,
    client,
  });
}

/**
 * A model in a folder on any server: an absolute address under which `invsr-manifest.json` lies, as
 * `invsr weights pull --to` makes it. HubError where it is not there, CheckpointError where it is none.
 */
export async function servedModel(
  folder: string | URL,
  { signal, without = [], ...options }: RemoteModelOptions = {},
): Promise<RemoteModel> {
  const base = new URL(folder);
  if (!base.pathname.endsWith('/')) base.pathname += '/';
  const client = fetchClient({ endpoint: base.href, ...options });
  const url = new URL(MANIFEST, base).href;
  const text = await retrying(
    async () => {
      const answer = await client.ask(url, { signal });
      if (answer.status !== 200) throw refuse(url, answer, client);
      return textOf(answer, url, client);
    },
    { policy: ASK, signal },
  );
  const manifest = parseManifest(text, url);
  const files = Object.entries(manifest.files)
    .filter(([path]) => !without.some((name) => path.startsWith(`${name}/`)))
    .map(([path, { size, id }]) => {
      const at = new URL(path.split('/').map(encodeURIComponent).join('/'), base).href;
      const repo = base.href.replace(/\/$/, '');
      return { path, remote: { repo, path, url: at, size, id, checksum: checksumOf(id) } };
    });
  const known = HUB_MODELS.find((model) => model.name === manifest.model);
  const own = [...(known?.own ?? [])].filter(([path]) => !(path in manifest.files));
  return modelOf({
    name: manifest.model,
    licences: licencesOf(known),
    files,
    own: new Map(own),
    client,
  });
}
