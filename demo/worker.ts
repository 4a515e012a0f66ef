/**
 * The page's own files, kept so that it works offline: all of them from one build, in a cache of its
 * name. They are taken from there first. A new build brings a new cache; it takes over, and the old one
 * goes, when no page of the old build is open, for those still load chunks of theirs.
 */

/** Put in by the build: the files, and what tells one build from another. */
declare const INVSR_FILES: readonly string[];
declare const INVSR_BUILD: string;

interface WorkerScope {
  readonly registration: { readonly scope: string };
  readonly clients: { claim(): Promise<void> };
  addEventListener(type: 'install' | 'activate', listener: (event: Lasting) => void): void;
  addEventListener(type: 'fetch', listener: (event: Fetched) => void): void;
}
interface Lasting {
  waitUntil(work: Promise<unknown>): void;
}
interface Fetched {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}

// The types of pages and of workers exclude each other.
const scope = globalThis as unknown as WorkerScope;
/** Pages in other folders of the server have caches beside this one. */
const NAME = `invsr-page-${new URL(scope.registration.scope).pathname}-`;
const CACHE = NAME + INVSR_BUILD;
/** As long as every build's. */
const isOurs = (cache: string): boolean => cache.startsWith(NAME) && cache.length === CACHE.length;

scope.addEventListener('install', (event) => {
  // What the browser's own cache has may be of the build before: the server is asked, and sends what is not there.
  const requests = INVSR_FILES.map((file) => new Request(file, { cache: 'no-cache' }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(requests)));
});

scope.addEventListener('activate', (event) => {
  const clean = async (): Promise<void> => {
    const names = await caches.keys();
    const old = names.filter((name) => isOurs(name) && name !== CACHE);
    await Promise.all(old.map((name) => caches.delete(name)));
    await scope.clients.claim();
  };
  event.waitUntil(clean());
});

scope.addEventListener('fetch', (event) => {
  const { method, url } = event.request;
  if (method !== 'GET' || !url.startsWith(scope.registration.scope)) return;
  const answer = async (): Promise<Response> => {
    const cache = await caches.open(CACHE);
    // Servers vary by headers that modules are asked for with and the cache is not filled with.
    return (
      (await cache.match(event.request, { ignoreSearch: true, ignoreVary: true })) ??
      fetch(event.request)
    );
  };
  event.respondWith(answer());
});
