/**
 * invsr-webgpu/browser: weights in a page or a worker.
 *
 *   import { droppedFolder, fetchFolder, hubModel, modelStore } from 'invsr-webgpu/browser';
 *   import { openModel } from 'invsr-webgpu';
 *
 *   const nano = await openModel(await fetchFolder(new URL('weights/invsr-nano/', document.baseURI)));
 *
 *   const store = await modelStore(); // opfsStore(), or memory where the browser keeps nothing: store.isKept
 *   let folder = await store.open('sd-turbo'); // where it was downloaded before
 *   if (!folder) {
 *     const model = await hubModel('sd-turbo'); // sizes and licences, to be shown
 *     folder = await store.download(model, { signal, onProgress });
 *   }
 *
 *   addEventListener('drop', async (event) => {
 *     event.preventDefault();
 *     const { folder } = await droppedFolder(event.dataTransfer);
 *     await store.keep('mine', folder); // if it is to stay
 *   });
 *
 * What a folder is made of goes to a worker: `postMessage(folder.files)` here, `blobFolder(name, files)` there.
 */
export { type DroppedModel, droppedFolder } from './weights/browser/dropped-folder.ts';
export { type FetchClientOptions } from './weights/browser/fetch-client.ts';
export { fetchFolder, type FetchFolderOptions } from './weights/browser/fetched-folder.ts';
export type { OpfsStoreOptions } from './weights/browser/opfs-root.ts';
export {
  memoryStore,
  type MemoryStoreOptions,
  modelStore,
} from './weights/browser/memory-store.ts';
export type { DownloadOptions, DownloadPlan, ModelStore } from './weights/browser/model-store.ts';
export { opfsStore } from './weights/browser/opfs-store.ts';
export {
  hubModel,
  type ModelLicence,
  type RemoteModel,
  type RemoteModelFile,
  type RemoteModelOptions,
  servedModel,
} from './weights/browser/remote-model.ts';
export { StorageError } from './weights/browser/storage-error.ts';
export type { StoreOptions, StoreProgress } from './weights/browser/store-model.ts';
export type { StoredModel } from './weights/browser/stored-model.ts';
export { CheckpointError } from './weights/error.ts';
export { blobFolder, type BlobFolder } from './weights/folder.ts';
export { HubError, type StorageProblem, type TransferProblem } from './weights/hub/error.ts';
export type { RetryPolicy } from './weights/hub/retry.ts';
