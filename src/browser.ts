/**
 * invsr-webgpu/browser: weights in a page or a worker.
 *
 *   import { fetchFolder, hubModel, opfsStore } from 'invsr-webgpu/browser';
 *   import { openModel } from 'invsr-webgpu';
 *
 *   const nano = await openModel(await fetchFolder(new URL('weights/invsr-nano/', document.baseURI)));
 *
 *   const store = opfsStore();
 *   const kept = await store.open('sd-turbo'); // a Folder, where it was downloaded before
 *   const model = await hubModel('sd-turbo'); // sizes and licences, to be shown
 *   const folder = kept ?? (await store.download(model, { signal, onProgress }));
 *
 *   addEventListener('drop', async ({ dataTransfer }) => {
 *     const { folder, files } = await droppedFolder(dataTransfer);
 *     await store.keep('mine', files); // where it is to stay
 *   });
 */
export { type DroppedModel, droppedFolder } from './weights/browser/dropped-folder.ts';
export { type FetchClientOptions } from './weights/browser/fetch-client.ts';
export { fetchFolder, type FetchFolderOptions } from './weights/browser/fetched-folder.ts';
export type { OpfsStoreOptions } from './weights/browser/opfs-root.ts';
export {
  type DownloadOptions,
  type DownloadPlan,
  type ModelStore,
  opfsStore,
} from './weights/browser/opfs-store.ts';
export {
  hubModel,
  type ModelLicence,
  type RemoteModel,
  type RemoteModelFile,
  type RemoteModelOptions,
  servedModel,
} from './weights/browser/remote-model.ts';
export { StorageError, type StorageProblem } from './weights/browser/storage-error.ts';
export type { StoreOptions, StoreProgress } from './weights/browser/store-model.ts';
export type { StoredModel } from './weights/browser/stored-model.ts';
export { HubError } from './weights/hub/error.ts';
