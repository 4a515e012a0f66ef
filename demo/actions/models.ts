/** The large model and models of one's own: found in the browser's storage, fetched, dropped. */
import { computed, signal } from '@preact/signals';
import {
  droppedFolder,
  hubModel,
  type ModelStore,
  modelStore,
  type RemoteModel,
  StorageError,
} from '../../src/browser.ts';
import type { Folder } from '../../src/index.ts';
import type { ModelRequest } from '../engine/session.ts';
import { explain } from '../explain.ts';
import * as app from '../state/app.ts';
import { cancel, ended } from './execution.ts';
import { prepare } from './memory.ts';
import { choose, chosenModel, NANO_REQUEST } from './model-choice.ts';
import { makeViewAnew } from './runs.ts';

export const SD_TURBO = 'sd-turbo';

const SD_TURBO_STATE: app.ModelState = { id: 'sd-turbo', name: 'SD-Turbo' };

/** What stands between the person and the large model. */
export type Large =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'looking' }
  /** Not here, or not all of it: how much comes over the network, under which terms. */
  | {
      readonly kind: 'offered';
      readonly remote: RemoteModel;
      readonly missingBytes: number;
      readonly freeBytes: number | undefined;
      /** It outlives the page. */
      readonly isKept: boolean;
    }
  | { readonly kind: 'waiting' }
  | { readonly kind: 'downloading'; readonly loaded: number; readonly total: number }
  | { readonly kind: 'checking'; readonly fraction: number }
  | { readonly kind: 'here' }
  | { readonly kind: 'failed'; readonly text: string; readonly details?: string };

export const large = signal<Large>({ kind: 'unknown' });

/** It comes, to this tab or another, or is being checked. */
export const isDownloading = computed(() =>
  ['waiting', 'downloading', 'checking'].includes(large.value.kind),
);

let opened: Promise<ModelStore> | undefined;
/** In private windows memory. One for the page's life; what fails now is tried again. */
const openStore = (): Promise<ModelStore> =>
  (opened ??= modelStore().catch((error: unknown) => {
    opened = undefined;
    throw error;
  }));
let downloading: AbortController | null = null;
/** A download is on that ends with the page. */
export const isFleeting = signal(false);
/** Counts looks and downloads: what a look finds after the next has begun counts no more. */
let looks = 0;

function failed(error: unknown): Large {
  if (app.isOffline.value && !(error instanceof StorageError)) {
    return { kind: 'failed', text: 'There is no connection, and SD-Turbo comes over the network.' };
  }
  const { text, details } = explain(error);
  return {
    kind: 'failed',
    text: text.replace(/^sd-turbo\b/i, SD_TURBO_STATE.name),
    ...(details !== undefined && { details }),
  };
}

/** Finds out whether it is here, or what a download would be. Other tabs and the browser may have removed it since. */
export async function lookForLarge(): Promise<void> {
  if (downloading) return;
  looks++;
  const turn = looks;
  if (large.value.kind !== 'here') large.value = { kind: 'looking' };
  const found = await findLarge().catch(failed);
  if (turn === looks) large.value = found;
}

async function findLarge(): Promise<Large> {
  const isHere = await (await openStore()).open(SD_TURBO);
  return isHere ? { kind: 'here' } : offerOf(await hubModel(SD_TURBO));
}

const ARRIVED: app.Notice = {
  kind: 'done',
  text: 'SD-Turbo is here.',
  action: { label: 'Use it', run: useLarge },
};

/** After the person has agreed to the licences. Cancelled or cut, the next one goes on. */
export async function downloadLarge(remote: RemoteModel): Promise<void> {
  downloading = new AbortController();
  looks++;
  const { signal } = downloading;
  large.value = { kind: 'downloading', loaded: 0, total: remote.bytes };
  app.say('Download begun');
  try {
    const store = await openStore();
    isFleeting.value = !store.isKept;
    await store.download(remote, {
      signal,
      onWait: () => (large.value = { kind: 'waiting' }),
      onProgress({ loadedBytes, checkedBytes, totalBytes }) {
        if (signal.aborted) return;
        large.value =
          loadedBytes < totalBytes
            ? { kind: 'downloading', loaded: loadedBytes, total: totalBytes }
            : { kind: 'checking', fraction: checkedBytes / totalBytes };
      },
    });
    large.value = { kind: 'here' };
    app.say('The model is here');
    // Another model ends the run under way: that is for the person to decide.
    if (app.isBusy.value) app.notice.value = ARRIVED;
    else useLarge();
  } catch (error) {
    large.value = signal.aborted ? await offerOf(remote).catch(failed) : failed(error);
  } finally {
    downloading = null;
    isFleeting.value = false;
  }
}

async function offerOf(remote: RemoteModel): Promise<Large> {
  const store = await openStore();
  const { isKept } = store;
  return { kind: 'offered', remote, isKept, ...(await store.plan(remote)) };
}

/**
 * Another model from the next run on. The one under way is stopped; what is looked at is made anew. Nothing
 * where it is the one in use.
 */
function useModel(state: app.ModelState, request: ModelRequest): void {
  if (request.id === chosenModel().id) return;
  cancel();
  choose(state, request);
  app.plannedBytes.value = null;
  if (!makeViewAnew()) void prepare(ended());
}

export const useNano = (): void => useModel(app.NANO, NANO_REQUEST);

export const cancelDownload = (): void => downloading?.abort();

export function useLarge(): void {
  useModel(SD_TURBO_STATE, { id: SD_TURBO, open: openLarge });
}

/** As it is in the storage now: files that were replaced there cannot be read any more. */
async function openLarge(): Promise<Folder> {
  const folder = await (await openStore()).open(SD_TURBO);
  if (folder) return folder;
  const gone = `${SD_TURBO_STATE.name} is not in this browser any more; get it again under “Model”`;
  throw new StorageError(gone, { problem: 'failed' });
}

export async function removeLarge(): Promise<void> {
  try {
    await (await openStore()).remove(SD_TURBO);
    if (app.model.value.id === SD_TURBO) useNano();
    large.value = { kind: 'unknown' };
    app.say('Removed');
  } catch (error) {
    large.value = failed(error);
    return;
  }
  await lookForLarge();
}

/** Counts models that were dropped, so that each is loaded as its own. */
let drops = 0;

/** A model's folder or files. True where they are a model, and in use. */
export async function useFiles(files: Iterable<File> | DataTransfer): Promise<boolean> {
  try {
    const { folder, needsPrompt } = await droppedFolder(files);
    if (needsPrompt) {
      app.notice.value = {
        kind: 'problem',
        text: 'The model has no prompt: add prompt_embeds.safetensors, or its text_encoder and tokenizer.',
      };
      return false;
    }
    drops++;
    useModel({ id: 'own', name: 'Your model' }, { id: `own ${drops}`, open: async () => folder });
    app.notice.value = { kind: 'done', text: 'Your model is in use from now on.' };
    return true;
  } catch (error) {
    app.notice.value = explain(error);
    return false;
  }
}

/** Whether a drop looks like a model rather than a photo. */
export const isModelDrop = (data: DataTransfer): boolean =>
  [...data.items].some(
    (item) =>
      item.webkitGetAsEntry()?.isDirectory === true ||
      /\.(?:safetensors|pth|pt)$/i.test(item.getAsFile()?.name ?? ''),
  );
