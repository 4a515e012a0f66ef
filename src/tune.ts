/**
 * `invsr-webgpu/tune`: kernels have several designs; which are the fastest on a device?
 *
 * `tune(context, model)` measures; `tuneInBackground` does so at idle moments. `packDesigns` makes JSON of
 * what was found, to be kept, `readDesigns` reads it where nothing has changed since, and `designs` of a
 * load or of `openContext` uses it. docs/decisions/0008 says why.
 */
export type { Designs } from './engine/kernel.ts';
export { type BackgroundOptions, tuneInBackground } from './tune/background.ts';
export {
  adapterKey,
  type Identity,
  identityOf,
  packDesigns,
  type ReadDesigns,
  readDesigns,
  type TunedDesigns,
} from './tune/designs-file.ts';
export { type ClassResult, type DesignResult, type TuneResult } from './tune/tune.ts';
export { tune, type TuneModelOptions } from './tune/tune-model.ts';
