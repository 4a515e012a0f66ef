/** A picture file: placed where the person wants it, copied or shared. */
import { PictureError } from './open.ts';

interface FilePicker {
  readonly showSaveFilePicker?: (options: {
    readonly suggestedName: string;
    readonly types: readonly { readonly accept: Readonly<Record<string, readonly string[]>> }[];
  }) => Promise<RemovableHandle>;
}

/** Not in all browsers. */
interface RemovableHandle extends FileSystemFileHandle {
  remove?(): Promise<void>;
}

/**
 * Where the browser asks for a place, there; else as a download. The place is asked for first, while
 * the click that led here still counts. False where the person changed their mind.
 */
export async function saveAs(
  name: string,
  type: string,
  make: () => Promise<Blob>,
): Promise<boolean> {
  const { showSaveFilePicker } = globalThis as FilePicker;
  if (!showSaveFilePicker) {
    download(name, await make());
    return true;
  }
  const extension = name.slice(name.lastIndexOf('.'));
  const handle = await showSaveFilePicker
    .call(globalThis, { suggestedName: name, types: [{ accept: { [type]: [extension] } }] })
    .catch((error: unknown) => {
      if (isNamed(error, 'AbortError')) return undefined;
      throw error;
    });
  if (!handle) return false;
  try {
    const blob = await make(); // first: what fails leaves no file open
    await blob.stream().pipeTo(await handle.createWritable());
  } catch (error) {
    await forget(handle).catch(() => {});
    throw error;
  }
  return true;
}

/** Browsers make, or empty, the file when it is chosen. */
async function forget(handle: RemovableHandle): Promise<void> {
  if ((await handle.getFile()).size === 0) await handle.remove?.();
}

function download(name: string, blob: Blob): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The download has its own hold on the bytes after a while.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

const isNamed = (error: unknown, name: string): boolean =>
  error instanceof DOMException && error.name === name;

/** PNG, the one format that clipboards take. PictureError where the browser does not let pages copy. */
export async function copy(make: () => Promise<Blob>): Promise<void> {
  const made = make();
  made.catch(() => {}); // `write` tells of it, unless that has failed before
  try {
    await navigator.clipboard.write([new ClipboardItem({ 'image/png': made })]);
  } catch (cause) {
    if (!isNamed(cause, 'NotAllowedError')) throw cause;
    throw new PictureError('This browser does not let this page copy pictures. Save it instead.', {
      cause,
    });
  }
}

/** Whether there is somewhere to share pictures to. */
export function canShare(): boolean {
  const probe = new File([], 'a.png', { type: 'image/png' });
  return 'canShare' in navigator && navigator.canShare({ files: [probe] });
}

/**
 * `refused`: browsers share while a click still counts, for some seconds, and a large picture may take
 * longer to make. `cancelled`: the person changed their mind.
 */
export async function share(name: string, blob: Blob): Promise<'shared' | 'cancelled' | 'refused'> {
  try {
    await navigator.share({ files: [new File([blob], name, { type: blob.type })] });
    return 'shared';
  } catch (error) {
    if (isNamed(error, 'AbortError')) return 'cancelled';
    if (isNamed(error, 'NotAllowedError')) return 'refused';
    throw error;
  }
}
