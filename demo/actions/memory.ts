/** The model on the device ahead of the first run, and what a run of the photo would take of its memory. */
import { computed, signal } from '@preact/signals';
import { DeviceLostError } from '../../src/index.ts';
import { explain } from '../explain.ts';
import * as app from '../state/app.ts';
import { options } from '../state/options.ts';
import { currentSession } from './current-session.ts';
import { chosenModel } from './model-choice.ts';

const preparing = signal<AbortController | null>(null);

export const isPreparing = computed(() => preparing.value !== null);

/** A run does the same, and tells how far it is. */
export const stopPreparing = (): void => preparing.peek()?.abort();

/** @param after the run that is being stopped: what it holds of the device is free then */
export async function prepare(after: Promise<void> | undefined): Promise<void> {
  stopPreparing();
  const controller = new AbortController();
  preparing.value = controller;
  const { signal } = controller;
  try {
    await after;
    // A run that is asked for together with it, as of a sample, comes first.
    await new Promise((resolve) => setTimeout(resolve));
    const session = currentSession();
    if (!session || !app.picture.value || signal.aborted) return;
    await session.prepare({
      model: chosenModel(),
      options: options.value,
      signal,
      onProgress: () => {},
    });
    void planMemory();
    app.memoryBytes.value = session.memoryBytes;
  } catch (error) {
    if (signal.aborted || error instanceof DeviceLostError) return;
    app.notice.value = explain(error);
  } finally {
    if (preparing.peek() === controller) preparing.value = null;
  }
}

/** What a run of the whole photo would take, as far as it can be told. */
export async function planMemory(): Promise<void> {
  const session = currentSession();
  const { value: asked } = options;
  const { value: picture } = app.picture;
  const bytes = await session?.plannedBytes(asked).catch(() => undefined); // the run itself says why
  if (asked === options.value && picture === app.picture.value) {
    app.plannedBytes.value = bytes ?? null;
  }
}

let planning: ReturnType<typeof setTimeout> | undefined;
options.subscribe(() => {
  clearTimeout(planning);
  planning = setTimeout(() => void planMemory(), 250);
});
