/** The model that runs take: the one that is built in, until the person chooses another. */
import { signal } from '@preact/signals';
import { fetchFolder } from '../../src/browser.ts';
import type { ModelRequest } from '../engine/session.ts';
import * as app from '../state/app.ts';
import type { Look } from '../state/look.ts';
import { options } from '../state/options.ts';

export const NANO_REQUEST: ModelRequest = {
  id: 'nano',
  open: (signal, onProgress) =>
    fetchFolder(new URL('weights/invsr-nano/', document.baseURI), { signal, onProgress }),
};

const chosen = signal(NANO_REQUEST);

export const chosenModel = (): ModelRequest => chosen.value;

/** Of what is made from now on. */
export const currentLook = (): Look => ({ model: chosen.value.id, options: options.value });

export function choose(state: app.ModelState, request: ModelRequest): void {
  chosen.value = request;
  app.model.value = state;
}
