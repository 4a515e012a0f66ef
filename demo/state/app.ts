/** What the page knows, as signals: the interface reads them, actions.ts changes them. */
import { computed, signal } from '@preact/signals';
import type { Capabilities, Region } from '../../src/index.ts';
import type { Picture } from '../picture/open.ts';
import type { Part } from '../viewer/types.ts';
import type { Fit } from './cut.ts';
import { CANVAS_PIXELS } from './file-area.ts';
import type { Options } from './options.ts';
import { fractionOf, type Pace } from './progress.ts';

export type DeviceState =
  | { readonly kind: 'starting' }
  | { readonly kind: 'ready'; readonly capabilities: Capabilities }
  | {
      readonly kind: 'missing';
      readonly reason: 'browser' | 'insecure' | 'adapter' | 'failed';
      /** Of `failed`: what happened, in a sentence. */
      readonly details?: string;
    };

/** What is computed: all of the photo, what is looked at, or a part of it anew. */
export type Aim = 'whole' | 'view' | 'part';

export type Run =
  | { readonly kind: 'idle' }
  /** Weights on their way, kernels being compiled. */
  | { readonly kind: 'preparing'; readonly aim: Aim; readonly fraction: number }
  | { readonly kind: 'running'; readonly aim: Aim; readonly pace: Pace };

/** A result that can be looked at and saved. */
export interface Result {
  /** All of the photo, or parts of it. */
  readonly isWhole: boolean;
  readonly options: Options;
  readonly model: string;
  readonly milliseconds: number;
}

/** One sentence, with what can be done about it. */
export interface Notice {
  readonly kind: 'problem' | 'done';
  readonly text: string;
  /** Which server, file and answer, for whoever looks into it. */
  readonly details?: string;
  readonly action?: { readonly label: string; readonly run: () => void };
}

export interface ModelState {
  readonly id: 'nano' | 'sd-turbo' | 'own';
  readonly name: string;
}

export const NANO: ModelState = { id: 'nano', name: 'Nano' };

export const device = signal<DeviceState>({ kind: 'starting' });
export const picture = signal<Picture | null>(null);
/** The photo, where it is one of ours. */
export const sample = signal<Picture | null>(null);
export const run = signal<Run>({ kind: 'idle' });
export const result = signal<Result | null>(null);
export const notice = signal<Notice | null>(null);
export const model = signal<ModelState>(NANO);
/** Bytes on the device; null while there is no model on it. */
export const memoryBytes = signal<number | null>(null);
/** Bytes of a run of the whole photo, planned; null where not known yet. */
export const plannedBytes = signal<number | null>(null);
/** Parts of the photo whose result is there: all of one look, but for what was tried again. */
export const sharp = signal<readonly Region[]>([]);
/** What the viewer shows. */
export const images = signal<{
  readonly before: GPUTexture;
  readonly parts: readonly Part[];
} | null>(null);
/** Counts changes of the textures' contents. */
export const changes = signal(0);
/** `changes` when the result was last saved, copied or shared. */
export const kept = signal(-1);
/** Tiles and parts under way, in pixels of the photo. */
export const underWay = signal<readonly Region[]>([]);
/** Of the photo, in its pixels; null while none is shown. */
export const visible = signal<Region | null>(null);
/** Of several runs the one under way, counted from 0; null where there is one. */
export const step = signal<{ readonly index: number; readonly count: number } | null>(null);
/** Whether this device makes all of the photo's result at once. */
export const fit = signal<Fit>('whole');
/** Pixels that a file may have: fewer when the browser could not make as many. */
export const filePixels = signal(CANVAS_PIXELS);
/** Said by screen readers. */
export const announcement = signal('');
/** Only what is looked at is computed. */
export const followsView = signal(false);
/** The part that is selected, to be made on its own. */
export const selection = signal<Region | null>(null);
/** Something can be put back as it was before the last try. */
export const canUndo = signal(false);
export const isOffline = signal(false);

export const isBusy = computed(() => run.value.kind !== 'idle');
/** The selected part is being made. */
export const isTrying = computed(() => run.value.kind !== 'idle' && run.value.aim === 'part');
/** 0 to 1; null while nothing runs. */
export const fraction = computed(() => {
  const state = run.value;
  if (state.kind === 'idle') return null;
  return state.kind === 'preparing' ? state.fraction : fractionOf(state.pace);
});

/** The same again differs by a space at its end: screen readers tell what has changed. */
export const say = (text: string): void => {
  announcement.value = text === announcement.value ? `${text}\u00A0` : text;
};
