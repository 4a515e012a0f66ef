/** Starts the page. */
import { options, render } from 'preact';
import { start } from './actions/device.ts';
import { guardLeaving } from './actions/leaving.ts';
import { keepOffline } from './actions/offline.ts';
import { App } from './ui/app.tsx';

// In a task of its own, not at the end of the one that has changed something: that one has worked already.
options.debounceRendering = (update) => void setTimeout(update);

const root = document.querySelector('#app');
if (root) render(<App />, root);
guardLeaving();
keepOffline();
await start();
