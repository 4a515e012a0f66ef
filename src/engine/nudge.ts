/**
 * News of the device in Firefox, which looks for them every 100 ms, and whenever something is submitted
 * (bugzilla 1870699). A submit of ours takes 8 ms on a GPU: waiting would take twelve times that, and the
 * executor would take the wait for work. So nothing is submitted, every few milliseconds, until the news are there.
 *
 * Deno looks every 10 ms, and no submit changes that (gfx-rs/wgpu#7675): so much of a wait is not work.
 */

/** The first ticks are as short as this, later ones 4 ms; a second in a tab that nobody sees. */
const TICK_MS = 2;

export const isFirefox = /\bFirefox\//.test(globalThis.navigator?.userAgent ?? '');

/** Of a wait for news, at most, after the device is done. */
export const NEWS_MS = 'Deno' in globalThis ? 10 : 0;

/** `news`, a promise that settles when the device is done with what was submitted. */
export function nudged<T>(queue: GPUQueue, news: Promise<T>): Promise<T> {
  if (!isFirefox) return news;
  const timer = setInterval(() => queue.submit([]), TICK_MS);
  return news.finally(() => clearInterval(timer));
}

/** Resolves when the device has done all that was submitted. */
export const workDone = (queue: GPUQueue): Promise<undefined> =>
  nudged(queue, queue.onSubmittedWorkDone());
