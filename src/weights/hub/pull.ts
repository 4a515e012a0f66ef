/**
 * A model fetched: first a plan (which file of each candidate, what is there already), then the
 * transfers, several files and several ranges of each at a time.
 */
import { freeBytesAt } from '../free-space.ts';
import { download, type DownloadOptions } from './download.ts';
import { HubError } from './error.ts';
import { faultOf } from './file-checksum.ts';
import type { HttpClient } from './http.ts';
import { createLimit, together } from './limit.ts';
import { withLock } from './lock.ts';
import { type HubModel, type Part, targetOf } from './models.ts';
import { openPartial, readPartial, type WriteAt } from './partial-file.ts';
import type { Found, Item, Place, Revision } from './place.ts';
import { lengthOf } from './ranges.ts';
import { readRepository, type Repository } from './repository.ts';

export interface PlannedItem extends Item {
  /** A right one lies there, or elsewhere on this machine. */
  readonly found: Found | undefined;
  /** Bytes that an earlier, interrupted run left. */
  readonly resumedBytes: number;
}

export interface PullPlan {
  readonly items: readonly PlannedItem[];
  readonly revisions: readonly Revision[];
  readonly bytes: number;
  /** Still to come over the network. */
  readonly missingBytes: number;
  /** Still to be written: those, and copies. */
  readonly writtenBytes: number;
  /** Where the files go; undefined where the system does not tell. */
  readonly freeBytes: number | undefined;
}

export interface PlanOptions {
  readonly client: HttpClient;
  readonly place: Place;
  /** By repository. @default main */
  readonly revisions: ReadonlyMap<string, string>;
  readonly signal?: AbortSignal | undefined;
  /** A file that is there is read and checked, which takes seconds per gigabyte. */
  readonly onCheck?: (item: Item) => void;
}

export async function planPull(model: HubModel, options: PlanOptions): Promise<PullPlan> {
  const { client, place, signal } = options;
  const stop = new AbortController();
  const asking = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const repositories = await Promise.all(
    model.sources.map(({ repo }) => {
      const revision = options.revisions.get(repo) ?? 'main';
      return readRepository(client, { repo, revision }, { signal: asking });
    }),
  ).catch((error: unknown) => {
    stop.abort(); // the others would go on trying
    throw error;
  });
  const items: PlannedItem[] = [];
  for (const [i, repository] of repositories.entries()) {
    for (const part of model.sources[i]?.parts ?? []) {
      const item = await planPart(repository, part, options);
      if (item) items.push(item);
    }
  }
  const sum = (value: (item: PlannedItem) => number): number =>
    items.reduce((total, item) => total + value(item), 0);
  const missingOf = ({ found, remote, resumedBytes }: PlannedItem): number =>
    found ? 0 : remote.size - resumedBytes;
  return {
    items,
    revisions: repositories.map(({ repo, revision, commit }) => ({ repo, revision, commit })),
    bytes: sum((item) => item.remote.size),
    missingBytes: sum(missingOf),
    writtenBytes: sum((item) =>
      item.found?.isElsewhere === true ? item.remote.size : missingOf(item),
    ),
    freeBytes: await freeBytesAt(place.folder),
  };
}

async function planPart(
  repository: Repository,
  part: Part,
  { place, signal, onCheck = () => {} }: PlanOptions,
): Promise<PlannedItem | undefined> {
  const { repo, commit, revision, paths } = repository;
  const items: Item[] = [];
  for (const candidate of part.candidates.filter((path) => paths.has(path))) {
    const item = {
      remote: await repository.file(candidate),
      commit,
      target: targetOf(part, candidate),
    };
    items.push(item);
    const found = await place.find(item);
    if (!found) continue;
    onCheck(item);
    // What is there but damaged is fetched again.
    if ((await faultOf(found.path, item.remote, { signal })) === undefined) {
      return { ...item, found, resumedBytes: 0 };
    }
  }
  const [best] = items;
  if (best !== undefined) {
    const { done } = await readPartial(place.partial(best), best.remote.size);
    return { ...best, found: undefined, resumedBytes: lengthOf(done) };
  }
  if (part.isOptional === true) return undefined;
  throw new HubError(
    `${repo} at ${revision} (${commit.slice(0, 8)}) has no ${part.candidates.join(' and no ')}; try another --revision`,
  );
}

export interface PullOptions extends Pick<DownloadOptions, 'client' | 'policy' | 'segmentBytes'> {
  readonly writeAt?: WriteAt;
  readonly place: Place;
  readonly signal?: AbortSignal | undefined;
  /** Of `plan.bytes`; what was there counts from the beginning. */
  readonly onProgress?: (doneBytes: number) => void;
}

/** Requests at a time: files share them, a large file takes several. */
const CONNECTIONS = 8;

export async function pull(plan: PullPlan, options: PullOptions): Promise<void> {
  await withLock(options.place.lock, () => pullLocked(plan, options));
}

async function pullLocked(plan: PullPlan, options: PullOptions): Promise<void> {
  const { place, onProgress = () => {} } = options;
  const limit = createLimit(CONNECTIONS);
  let done = 0;
  const onBytes = (count: number): void => onProgress((done += count));
  const fetchItem = async (item: Item, signal: AbortSignal): Promise<void> => {
    const { remote } = item;
    const partial = await openPartial(place.partial(item), remote.size, options.writeAt);
    await download(remote, partial, { ...options, limit, signal, onBytes });
    await place.settle(item);
  };

  for (const item of plan.items) {
    if (!item.found) continue;
    options.signal?.throwIfAborted();
    await place.adopt(item, item.found);
    onBytes(item.remote.size);
  }
  await together(
    groupById(plan.items.filter((item) => !item.found)),
    async ([first, ...twins], signal) => {
      if (!first) return;
      await fetchItem(first, signal);
      for (const twin of twins) {
        // The same bytes under another name: in the cache the same blob.
        const found = await place.find(twin);
        if (found) await place.adopt(twin, found);
        else await fetchItem(twin, signal);
      }
    },
    options.signal,
  );
  options.signal?.throwIfAborted();
  await place.finish(plan.items, plan.revisions);
}

/** Two files of the same bytes share a blob, and must not be written at once. */
function groupById(items: readonly Item[]): readonly (readonly Item[])[] {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const key = `${item.remote.repo}/${item.remote.id}`;
    groups.set(key, [...(groups.get(key) ?? []), item]);
  }
  return [...groups.values()];
}
