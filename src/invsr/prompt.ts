/**
 * A prompt as the UNet takes it: states of the model's own text encoder, computed once and kept.
 *
 *   prompt ─tokenizer→ ids ─rows of the token embedding→ [1, L, C] ─textEncoder→ states [1, L, C]
 *
 * The encoder runs in f32, whatever the other networks do: it is a hundredth of their work, and its
 * result serves every image. Its weights leave the device before the other networks' arrive.
 */
import type { EngineContext } from '../engine/context.ts';
import { WeightStore } from '../engine/weight-store.ts';
import { GraphBuilder } from '../graph/builder.ts';
import type { Graph } from '../graph/graph.ts';
import type { Folder } from '../weights/folder.ts';
import type { RawTensor } from '../weights/layout.ts';
import { Buffers } from './buffers.ts';
import type { Tensors } from './model.ts';
import {
  packStates,
  type PromptCache,
  promptKeys,
  type PromptStates,
  unpackStates,
} from './prompt-cache.ts';
import { readTensor, valuesOf } from './read-tensor.ts';
import { createRunner, type LoadProgress } from './runner.ts';
import { readTokenRows, textEncoder } from './text-encoder.ts';
import { openTextModel, type TextModel } from './text-model.ts';
import { createTokenizer, readTokenizerFiles, type Tokenizer } from './tokenizer.ts';

/** The prompts of the official code, letter by letter. */
export const OFFICIAL_PROMPT =
  'Cinematic, high-contrast, photo-realistic, 8k, ultra HD, meticulous detailing, hyper sharpness, perfect without deformations';
export const OFFICIAL_NEGATIVE_PROMPT =
  'Low quality, blurring, jpeg artifacts, deformed, over-smooth, cartoon, noisy,painting, drawing, sketch, oil painting';

/** By the names that a model's `overrides` and prompt_embeds.safetensors have. */
export type PromptTexts = Readonly<
  Partial<Record<'prompt_embeds' | 'negative_prompt_embeds', string>>
>;

/** Prompts looked up: the states that are known, and the way to the others. */
export interface Prompts {
  /** States from the cache, zeros of the right shape for the others: enough to check a model. */
  readonly known: Tensors;
  /** How many the encoder must still make. */
  readonly missing: number;
  /** What of each prompt did not fit the encoder, where something did not. */
  readonly lost: readonly {
    readonly prompt: string;
    readonly words: string;
    /** What the encoder takes at most. */
    readonly tokens: number;
  }[];
  /** All states. The device holds the encoder's weights meanwhile and frees them. */
  states(context: EngineContext, options?: StateOptions): Promise<Tensors>;
  close(): Promise<void>;
}

interface StateOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
}

export interface PromptOptions extends StateOptions {
  /** @default the official prompt */
  readonly prompt?: string;
  /** Used where `cfg` is above 1. @default the official negative prompt */
  readonly negativePrompt?: string;
  /** As the networks'; 1 needs no negative states. @default 1 */
  readonly cfg?: number;
  /** Where states are kept. @default nowhere */
  readonly cache?: PromptCache;
}

/**
 * The states of a prompt by the text encoder of a model folder: `openModel`'s `overrides`.
 * CheckpointError, ConfigError: text_encoder/ or tokenizer/ is missing or damaged.
 */
export async function promptStates(
  folder: Folder,
  context: EngineContext,
  {
    prompt = OFFICIAL_PROMPT,
    negativePrompt = OFFICIAL_NEGATIVE_PROMPT,
    cfg = 1,
    ...options
  }: PromptOptions = {},
): Promise<Tensors> {
  const negative = cfg > 1 && { negative_prompt_embeds: negativePrompt };
  const prompts = await openPrompts(folder, { prompt_embeds: prompt, ...negative }, options);
  try {
    return await prompts.states(context, options);
  } finally {
    await prompts.close();
  }
}

/** What `promptStates` does before it needs a device. */
export async function openPrompts(
  folder: Folder,
  texts: PromptTexts,
  { cache, signal }: Pick<PromptOptions, 'cache' | 'signal'> = {},
): Promise<Prompts> {
  const model = await openTextModel(folder);
  try {
    const files = await readTokenizerFiles(folder.folder('tokenizer'));
    const { positions, channels } = model.config;
    const shape = [1, positions, channels];
    const keyOf = cache && (await promptKeys(model, files, signal));
    const known = new Map<string, PromptStates>();
    const missing: Missing[] = [];
    let tokenizer: Tokenizer | undefined;
    for (const [name, prompt] of Object.entries(texts)) {
      const key = await keyOf?.(prompt);
      const file = key === undefined ? undefined : await cache?.read(key);
      const kept = key !== undefined && file && (await unpackStates(key, file, shape));
      if (kept) {
        known.set(name, kept);
        continue;
      }
      tokenizer ??= await createTokenizer(files);
      const { ids, lost } = tokenizer.encode(prompt, positions);
      const rows = await readTokenRows(model.checkpoint, ids, model.config, signal);
      missing.push({ name, key, rows, lost });
    }
    if (missing.length > 0) graphOf(model); // asks for every weight by name and shape
    const zeros = new Float32Array(positions * channels);
    const all = new Map(known);
    for (const { name, lost } of missing) all.set(name, { shape, data: zeros, lost });
    return {
      known: tensorsOf(all),
      missing: missing.length,
      lost: [...all]
        .filter(([, { lost }]) => lost !== '')
        .map(([name, { lost }]) => ({ prompt: name, words: lost, tokens: positions })),
      states: async (context, options = {}) => {
        for (const [name, states] of await encode(context, model, missing, options)) {
          known.set(name, states);
          const { key } = missing.find((m) => m.name === name) ?? {};
          if (key !== undefined) await cache?.write(key, await packStates(key, states));
        }
        missing.length = 0;
        return tensorsOf(known);
      },
      close: () => model.close(),
    };
  } catch (error) {
    await model.close();
    throw error;
  }
}

interface Missing {
  readonly name: string;
  /** In the cache. */
  readonly key: string | undefined;
  /** The encoder's input, [L, C]. */
  readonly rows: Float32Array<ArrayBuffer>;
  readonly lost: string;
}

const tensorsOf = (states: ReadonlyMap<string, PromptStates>): Tensors =>
  new Map(
    [...states].map(([name, { shape, data }]): [string, RawTensor] => [
      name,
      { name, dtype: 'F32', shape, bytes: new Uint8Array(data.buffer) },
    ]),
  );

function graphOf({ config, checkpoint }: TextModel): Graph {
  const g = new GraphBuilder({ precision: 'f32' });
  const shape = [1, config.positions, config.channels];
  const tokens = g.external('tokens', { dtype: 'f32', shape });
  const weights = g.checkpoint('text_encoder', checkpoint.tensors);
  g.name('states', textEncoder(g, tokens, weights, config));
  return g.build();
}

async function encode(
  context: EngineContext,
  model: TextModel,
  prompts: readonly Missing[],
  { signal, onProgress }: StateOptions,
): Promise<Map<string, PromptStates>> {
  const result = new Map<string, PromptStates>();
  if (prompts.length === 0) return result;
  const { positions, channels } = model.config;
  // Weights of its own, which are freed at the end: a context's are those of one model.
  const weights = new WeightStore(context.device, context.allocator);
  const own: EngineContext = { ...context, weights };
  const buffers = new Buffers(own);
  try {
    const options = { model, keep: () => true, signal, onProgress };
    const runner = await createRunner(own, graphOf(model), options);
    try {
      for (const { name, rows, lost } of prompts) {
        await buffers.write('tokens', rows);
        await runner.run(buffers, { signal });
        const data = valuesOf(await readTensor(own.device, runner.at('states', buffers)));
        result.set(name, { shape: [1, positions, channels], data, lost });
      }
    } finally {
      runner.dispose();
    }
  } finally {
    buffers.dispose();
    weights.dispose();
  }
  return result;
}
