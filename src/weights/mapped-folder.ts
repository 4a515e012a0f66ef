/** A folder put together from files that lie in different places on disk, or in memory. */
import { filesFolder, type Folder } from './folder.ts';
import { fileSource } from './node-file.ts';
import { bytesSource } from './source.ts';

/** Where a file is, or its text. */
export type Place = { readonly file: string } | { readonly text: string };

/** `places` by path in the folder; `/` separates folders. */
export const mappedFolder = (name: string, places: ReadonlyMap<string, Place>): Folder =>
  filesFolder(name, places, (path, place) =>
    'file' in place
      ? fileSource(place.file)
      : bytesSource(path, new TextEncoder().encode(place.text)),
  );
