/** Starts the page, and the worker that makes it work offline. */
import { render } from 'preact';
import { start } from './actions/device.ts';
import { App } from './ui/app.tsx';

const root = document.querySelector('#app');
if (root) render(<App />, root);
await start();
if ('serviceWorker' in navigator) {
  // Without it the page works as well, online.
  await navigator.serviceWorker.register('worker.js').catch(() => {});
}
