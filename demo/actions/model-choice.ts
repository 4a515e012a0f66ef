/** The model that runs take: the one that is built in, until the person chooses another. */
import { fetchFolder } from '../../src/browser.ts';
import type { ModelRequest } from '../engine/session.ts';
import * as app from '../state/app.ts';

export const NANO_REQUEST: ModelRequest = {
  id: 'nano',
  open: (signal, onProgress) =>
    fetchFolder(new URL('weights/invsr-nano/', document.baseURI), { signal, onProgress }),
};

let chosen: ModelRequest = NANO_REQUEST;

export const chosenModel = (): ModelRequest => chosen;

export function choose(state: app.ModelState, request: ModelRequest): void {
  chosen = request;
  app.model.value = state;
}
