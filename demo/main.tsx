/** Starts the page, and the worker that makes it work offline. */
import { options, render } from 'preact';
import { start } from './actions/device.ts';
import { App } from './ui/app.tsx';

// In a task of its own, not at the end of the one that has changed something: that one has worked already.
options.debounceRendering = (update) => void setTimeout(update);

const root = document.querySelector('#app');
if (root) render(<App />, root);
await start();
if ('serviceWorker' in navigator) {
  // Without it the page works as well, online.
  await navigator.serviceWorker.register('worker.js').catch(() => {});
}
