/** A folder put together from files that lie in different places on disk, or in memory. */
import { type Folder, notFound } from './folder.ts';
import { fileSource, textOf } from './node-file.ts';
import { bytesSource } from './source.ts';

/** Where a file is, or its text. */
export type Place = { readonly file: string } | { readonly text: string };

/** `places` by path in the folder; `/` separates folders. */
export function mappedFolder(name: string, places: ReadonlyMap<string, Place>): Folder {
  const names = [...places.keys()].filter((path) => !path.includes('/'));
  const at = (path: string): Place => {
    const place = places.get(path);
    if (!place) throw notFound(name, path, names);
    return place;
  };
  return {
    name,
    list: async () => names,
    open: async (path) => {
      const place = at(path);
      if ('file' in place) return fileSource(place.file);
      return bytesSource(`${name}/${path}`, new TextEncoder().encode(place.text));
    },
    readText: async (path) => {
      const place = at(path);
      return 'file' in place ? textOf(place.file) : place.text;
    },
    folder: (inner) => {
      const below = [...places].filter(([path]) => path.startsWith(`${inner}/`));
      const cut = below.map(([path, place]) => [path.slice(inner.length + 1), place] as const);
      return mappedFolder(`${name}/${inner}`, new Map(cut));
    },
  };
}
