/** Errors → one sentence for people, with what can be done about it. */
import { HubError } from '../src/browser.ts';
import {
  CheckpointError,
  ConfigError,
  DeviceError,
  DeviceLostError,
  ImageSizeError,
  MemoryError,
} from '../src/index.ts';
import { NoRoomError } from './engine/texture.ts';
import { PictureError } from './picture/open.ts';
import type { Notice } from './state/app.ts';
import { change, options, smallerTile } from './state/options.ts';

export function explain(error: unknown): Notice {
  const problem = (text: string, action?: Notice['action']): Notice => ({
    kind: 'problem',
    text,
    ...(action && { action }),
  });
  if (error instanceof PictureError || error instanceof NoRoomError) return problem(error.message);
  if (error instanceof DeviceLostError)
    return problem('The graphics card was reset by the system.');
  if (error instanceof ImageSizeError) {
    return problem(
      'The photo is too large to be sharpened at once. Zoom in and sharpen what you see.',
    );
  }
  if (error instanceof MemoryError || (error instanceof DeviceError && error.problem.isMemory)) {
    const { tile, lowMemory } = options.value;
    const smaller = smallerTile(tile);
    if (smaller !== undefined) {
      return problem('The graphics card ran out of memory.', {
        label: `Use tiles of ${smaller}`,
        run: () => change({ tile: smaller }),
      });
    }
    return lowMemory
      ? problem('The graphics card has too little memory for this model.')
      : problem('The graphics card ran out of memory.', {
          label: 'Use less memory',
          run: () => change({ lowMemory: true }),
        });
  }
  if (error instanceof HubError) {
    const told = sentence(error.message);
    const text = error.problem && TRANSFERS[error.problem];
    // The others, and storage, say by themselves what to do.
    return text === undefined ? problem(told) : { ...problem(text), details: told };
  }
  if (error instanceof CheckpointError || error instanceof ConfigError) {
    return problem(`The model cannot be used: ${error.message}`);
  }
  if (error instanceof Error && CODE_IS_GONE.test(error.message)) {
    return problem('A part of this page did not come: it was updated, or the connection was cut.', {
      label: 'Load again',
      run: () => location.reload(),
    });
  }
  return problem(`That did not work: ${error instanceof Error ? error.message : String(error)}`);
}

/** Of `import()` in Chromium and Firefox, in Safari, and of our encoder. */
const CODE_IS_GONE = /dynamically imported module|module script failed/;

const TRANSFERS: { readonly [Problem in NonNullable<HubError['problem']>]?: string } = {
  unreachable:
    'The server cannot be reached, or the connection was cut. Try again: a download goes on where it stopped.',
  refused: 'The server cannot give the model now. Try again in a few minutes.',
  denied:
    'The model is given only to people who log in or accept its terms: download its files by hand where it is published, and drop the folder on this page.',
  missing:
    'The model is not where this page looks for it. A newer version of the page may know where it is; or download the files by hand, and drop the folder here.',
};

/** Hosts and file names keep their case. */
const sentence = (text: string): string =>
  /^\S+[./]\S/.test(text) ? ended(text) : ended(`${text.charAt(0).toUpperCase()}${text.slice(1)}`);

const ended = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);
