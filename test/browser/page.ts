/** What the scripts of test pages share. */
import { requiredDevice } from '../../src/engine/device.ts';
import { type Folder, urlFolder } from '../../src/weights/folder.ts';
import type { ServedModel } from './site.ts';

export async function openAdapter(): Promise<GPUAdapter> {
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) throw new Error('no adapter');
  return adapter;
}

export async function openDevice(): Promise<GPUDevice> {
  const adapter = await openAdapter();
  return adapter.requestDevice(requiredDevice(adapter));
}

export const servedFolder = ({ path, files }: ServedModel): Folder =>
  urlFolder(new URL(path, location.href), { files });

/** An error as data. */
export async function failure(
  work: Promise<unknown>,
): Promise<{ name: string; message: string } | 'none'> {
  return work.then(
    () => 'none' as const,
    (error: Error) => ({ name: error.name, message: error.message }),
  );
}
