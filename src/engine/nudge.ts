/**
 * News of the device where they come late.
 *
 * Firefox looks for them every 100 ms, and whenever something is submitted (bugzilla 1870699). A submit of ours
 * takes 8 ms on a GPU: waiting would take twelve times that, and the executor would take the wait for work. So
 * nothing is submitted, every few milliseconds, while anybody waits: one loop for a device, which ends with it.
 *
 * What fails on a lost device is told before the loss, which comes with the next look (`lossTold`).
 *
 * Deno looks every 10 ms, and no submit changes that (gfx-rs/wgpu#7675): so much of a wait is not work.
 */
import { inScope } from './error-scope.ts';
import { isFirefox } from './firefox.ts';

/** The first ticks are as short as this, later ones 4 ms. */
const TICK_MS = 2;

/** Between two looks. */
const FIREFOX_MS = 100;
const DENO_MS = 10;

interface Waits {
  count: number;
  /** Stays true once the device is lost: it is asked no more. */
  isAsked: boolean;
  isLost: boolean;
}

const waitsOf = new WeakMap<GPUDevice, Waits>();

/** `news`, a promise that settles when the device is done with what was submitted. */
export async function nudged<T>(device: GPUDevice, news: Promise<T>): Promise<T> {
  if (!isFirefox) return news;
  let waits = waitsOf.get(device);
  if (!waits) waitsOf.set(device, (waits = watched(device)));
  waits.count++;
  if (!waits.isAsked) ask(device, waits).catch(() => {}); // its process is gone
  try {
    return await news;
  } finally {
    waits.count--;
  }
}

/** Resolves when the device has done all that was submitted. */
export const workDone = (device: GPUDevice): Promise<undefined> =>
  nudged(device, device.queue.onSubmittedWorkDone());

/** After a failure: resolves when a loss that may be behind it has been told. */
export async function lossTold(device: GPUDevice): Promise<void> {
  if (!isFirefox) return;
  const look = new Promise((resolve) => setTimeout(resolve, 2 * FIREFOX_MS));
  await Promise.race([device.lost, look]);
}

/** Of a wait for news, what was work: at least half of it, for a look may come just after the end. */
export const workMsOf = (waitMs: number): number =>
  'Deno' in globalThis ? Math.max(waitMs - DENO_MS, waitMs / 2) : waitMs;

function watched(device: GPUDevice): Waits {
  const waits = { count: 0, isAsked: false, isLost: false };
  void device.lost.then(() => (waits.isLost = true));
  return waits;
}

async function ask(device: GPUDevice, waits: Waits): Promise<void> {
  waits.isAsked = true;
  while (waits.count > 0) {
    const { error: answer } = inScope(device, 'validation', () => device.queue.submit([]));
    // Timers tick once a second in a tab that nobody sees; the device answers as ever.
    if (!isHidden()) await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    await answer;
    if (waits.isLost) return;
  }
  waits.isAsked = false;
}

const isHidden = (): boolean => 'document' in globalThis && document.hidden;
