/**
 * Prompts from text to states on the tiny text encoder: what is computed, what is kept, and that the
 * encoder leaves the device. With CLIP's own tokenizer the states are the official ones.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineContext } from '../../src/engine/context.ts';
import type { Tensors } from '../../src/invsr/model.ts';
import type { PromptCache } from '../../src/invsr/prompt-cache.ts';
import { openPrompts, promptStates } from '../../src/invsr/prompt.ts';
import { toF32 } from '../../src/weights/layout.ts';
import { adapterNames } from '../harness/device.ts';
import { openGolden } from '../harness/goldens.ts';
import { GATE, openTestContext, relativeError } from '../harness/networks.ts';
import { tinyTextEncoder } from '../harness/synthetic.ts';
import {
  CLIP_TOKENIZER,
  sayWhetherClip,
  TOKENIZER_FILES,
  tokenizerFiles,
} from '../harness/tiny-tokenizer.ts';

const folder = tinyTextEncoder(tokenizerFiles());

interface MemoryCache extends PromptCache {
  readonly files: Map<string, Uint8Array<ArrayBuffer>>;
}
function memoryCache(): MemoryCache {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  return {
    files,
    read: async (key) => files.get(key),
    write: async (key, bytes) => void files.set(key, bytes),
  };
}

const valuesOf = (tensors: Tensors, name: string): number[] => [...toF32(tensors.get(name)!)];

// One adapter is enough: networks on all of them are the business of text-encoder.test.ts.
describe.each(adapterNames.slice(-1))('%s', (adapter) => {
  let context: EngineContext;
  let close: () => void;
  beforeAll(async () => {
    ({ context, close } = await openTestContext(adapter));
  });
  afterAll(() => close());

  const statesOf = async (prompt: string, cache?: PromptCache): Promise<number[]> => {
    const states = await promptStates(folder, context, { prompt, ...(cache && { cache }) });
    return valuesOf(states, 'prompt_embeds');
  };

  test('a prompt has states of its own', async () => {
    const cat = await statesOf('a cat');
    expect(cat).toHaveLength(77 * 64);
    const dog = await statesOf('a dog');
    // Begin and "a" come before the difference, and attention is causal.
    expect(dog.slice(0, 2 * 64)).toEqual(cat.slice(0, 2 * 64));
    expect(dog.slice(2 * 64)).not.toEqual(cat.slice(2 * 64));
    expect(await statesOf('A  CAT')).toEqual(cat);
  });

  test('negative states exist where guidance asks for them', async () => {
    const options = { prompt: 'a cat', negativePrompt: 'a dog' };
    const off = await promptStates(folder, context, { ...options, cfg: 1 });
    expect([...off.keys()]).toEqual(['prompt_embeds']);
    const on = await promptStates(folder, context, { ...options, cfg: 1.5 });
    expect(valuesOf(on, 'prompt_embeds')).toEqual(valuesOf(off, 'prompt_embeds'));
    expect(valuesOf(on, 'negative_prompt_embeds')).toEqual(await statesOf('a dog'));
  });

  test("the encoder's weights leave the device", async () => {
    await statesOf('warm');
    const before = context.memory.bytes;
    const peak = context.memory.peakBytes;
    await statesOf('a cat');
    expect(context.memory.bytes).toBe(before);
    // They were there: 2 layers of 12·64² weights in f16, without the 6 MB of the token embedding.
    expect(peak - before).toBeGreaterThan(2 * 12 * 64 * 64 * 2);
    expect(peak - before).toBeLessThan(2e6);
  });

  test('kept states are taken without a device, until something changes', async () => {
    const cache = memoryCache();
    const cat = await statesOf('a cat', cache);
    expect(cache.files.size).toBe(1);

    const lookUp = async (prompt: string, from = folder) => {
      const prompts = await openPrompts(from, { prompt_embeds: prompt }, { cache });
      await prompts.close();
      return prompts;
    };
    const again = await lookUp('a cat');
    expect(again.missing).toBe(0);
    expect(valuesOf(again.known, 'prompt_embeds')).toEqual(cat);

    expect((await lookUp('a dog')).missing).toBe(1);
    const other = { ...TOKENIZER_FILES, 'merges.txt': 'c a\n' };
    expect((await lookUp('a cat', tinyTextEncoder(tokenizerFiles(other)))).missing).toBe(1);

    const [[key, file]] = [...cache.files] as [[string, Uint8Array<ArrayBuffer>]];
    cache.files.set(
      key,
      file.map((byte, i) => (i === file.length - 1 ? byte ^ 1 : byte)),
    );
    const damaged = await lookUp('a cat');
    expect(damaged.missing).toBe(1);
    // Of the right shape all the same: enough to check a model with.
    expect(damaged.known.get('prompt_embeds')!.shape).toEqual([1, 77, 64]);
    expect(await statesOf('a cat', cache)).toEqual(cat);
    expect((await lookUp('a cat')).missing).toBe(0);
  });

  test('lost words are told whether the states are kept or not', async () => {
    const cache = memoryCache();
    const prompt = `${'a '.repeat(74)}cat dog photo`;
    const lost = [{ prompt: 'prompt_embeds', words: 'dog photo', tokens: 77 }];
    for (const missing of [1, 0]) {
      const prompts = await openPrompts(folder, { prompt_embeds: prompt }, { cache });
      expect(prompts.missing).toBe(missing);
      expect(prompts.lost).toEqual(lost);
      await prompts.states(context);
      await prompts.close();
    }
  });

  test('an aborted run keeps nothing', async () => {
    const cache = memoryCache();
    const prompts = await openPrompts(folder, { prompt_embeds: 'a cat' }, { cache });
    const before = context.memory.bytes;
    await expect(prompts.states(context, { signal: AbortSignal.abort() })).rejects.toThrow(
      /abort/i,
    );
    await prompts.close();
    expect(cache.files.size).toBe(0);
    expect(context.memory.bytes).toBe(before);
  });

  sayWhetherClip('the official prompts from text to states');
  test.skipIf(CLIP_TOKENIZER === undefined)('the official prompts, from text', async () => {
    const names = ['vocab.json', 'merges.txt', 'special_tokens_map.json'];
    const files = names.map((name) => [
      name,
      readFileSync(join(CLIP_TOKENIZER ?? '', name), 'utf8'),
    ]);
    const own = tinyTextEncoder(
      tokenizerFiles(Object.fromEntries(files) as Record<string, string>),
    );
    const states = await promptStates(own, context, { cfg: 2 });
    const golden = await openGolden('networks/clip_text');
    for (const [name, tensor] of [
      ['prompt_embeds', 'positive.embeds'],
      ['negative_prompt_embeds', 'negative.embeds'],
    ] as const) {
      const error = relativeError(valuesOf(states, name), golden.f32(tensor).data);
      expect(error, name).toBeLessThan(GATE.f32);
    }
  });
});
