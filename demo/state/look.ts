/** What a result looks like follows from a model and from most of the options. */
import type { Options } from './options.ts';

export interface Look {
  /** The model's id. */
  readonly model: string;
  readonly options: Options;
}

/** Whether results of both belong side by side. */
export const sameLook = (
  { model, options: a }: Look,
  { model: other, options: b }: Look,
): boolean =>
  model === other &&
  a.steps === b.steps &&
  a.startTimestep === b.startTimestep &&
  a.seed === b.seed &&
  a.colorFix === b.colorFix &&
  a.tile === b.tile &&
  a.overlap === b.overlap;
