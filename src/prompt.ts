/**
 * `invsr-webgpu/prompt`: prompts of your own, for models with a text encoder.
 *
 *   const states = await promptStates(folder, context, { prompt: 'a lighthouse at dawn' });
 *   const model = await openModel(folder, states);
 *
 * Needs the package @huggingface/tokenizers, loaded when a prompt is tokenized; nothing else here does.
 */
export {
  OFFICIAL_NEGATIVE_PROMPT,
  OFFICIAL_PROMPT,
  type PromptOptions,
  promptStates,
} from './invsr/prompt.ts';
export type { PromptCache } from './invsr/prompt-cache.ts';
