/**
 * The service worker, with which the page works offline. It asks for all files of the page, the model among
 * them: it comes when nothing else does, and finds in the browser's cache what the page has loaded.
 */
import { computed, effect } from '@preact/signals';
import * as app from '../state/app.ts';
import { isPreparing } from './memory.ts';
import { isDownloading } from './models.ts';

/** So long nothing has been going on. */
const QUIET_MS = 3000;

const isStarting = computed(() => app.device.value.kind === 'starting');

/** Without it the page works as well, online. */
export function keepOffline(): void {
  if (!('serviceWorker' in navigator)) return;
  const register = (): void => {
    stop();
    navigator.serviceWorker.register('worker.js').catch(() => {});
  };
  let waiting = 0;
  const stop = effect(() => {
    const isQuiet = [isStarting, isPreparing, app.isBusy, isDownloading].every(
      ({ value }) => !value,
    );
    clearTimeout(waiting);
    if (isQuiet) waiting = window.setTimeout(register, QUIET_MS);
  });
}
