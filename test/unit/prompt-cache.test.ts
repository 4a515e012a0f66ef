/** A prompt's key changes with whatever the states depend on; a kept file is believed or ignored. */
import { describe, expect, test } from 'vitest';
import {
  packStates,
  promptKeys,
  type PromptStates,
  unpackStates,
} from '../../src/invsr/prompt-cache.ts';
import { openTextModel } from '../../src/invsr/text-model.ts';
import { readTokenizerFiles } from '../../src/invsr/tokenizer.ts';
import { memoryFolder } from '../../src/weights/folder.ts';
import { tinyTextEncoder } from '../harness/synthetic.ts';
import { tokenizerFiles } from '../harness/tiny-tokenizer.ts';

const CONFIG = 'text_encoder/config.json';
const WEIGHTS = 'text_encoder/model.fp16.safetensors';
type Files = Record<string, Uint8Array<ArrayBuffer>>;

async function filesOfModel(): Promise<Files> {
  const folder = tinyTextEncoder().folder('text_encoder');
  const source = await folder.open('model.fp16.safetensors');
  return {
    [CONFIG]: new TextEncoder().encode(await folder.readText('config.json')),
    [WEIGHTS]: await source.read(0, await source.size()),
    ...tokenizerFiles(),
  };
}

async function keyIn(files: Files, prompt: string): Promise<string> {
  const folder = memoryFolder('model', new Map(Object.entries(files)));
  const model = await openTextModel(folder);
  const keyOf = await promptKeys(model, await readTokenizerFiles(folder.folder('tokenizer')));
  return keyOf(prompt);
}

describe('the key', () => {
  test('is the same for the same model under another name', async () => {
    const files = await filesOfModel();
    const renamed = { ...files, 'text_encoder/model.safetensors': files[WEIGHTS]! };
    delete (renamed as Files)[WEIGHTS];
    const key = await keyIn(files, 'cat');
    expect(key).toMatch(/^[0-9a-f]{64}$/);
    expect(await keyIn(renamed, 'cat')).toBe(key);
  });

  test('changes with the prompt', async () => {
    const files = await filesOfModel();
    expect(await keyIn(files, 'cats')).not.toBe(await keyIn(files, 'cat'));
  });

  const append = (name: string) => (files: Files) => {
    files[name] = new Uint8Array([...files[name]!, 0x20]);
  };
  test.each<readonly [string, (files: Files) => void]>([
    ['the config', append(CONFIG)],
    ['the vocabulary', append('tokenizer/vocab.json')],
    ['the merges', append('tokenizer/merges.txt')],
    ['the special tokens', append('tokenizer/special_tokens_map.json')],
    [
      'the sign of every weight, as training would move all',
      (files) => {
        const bytes = files[WEIGHTS]!.slice();
        const header = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
        for (let i = header + 1; i < bytes.length; i += 2) bytes[i]! ^= 0x80;
        files[WEIGHTS] = bytes;
      },
    ],
    [
      'one layer norm of the last layer',
      (files) => {
        const bytes = files[WEIGHTS]!.slice();
        const name = 'text_model.encoder.layers.1.layer_norm2.weight';
        const size = Number(new DataView(bytes.buffer).getBigUint64(0, true));
        const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + size))) as Record<
          string,
          { data_offsets: [number, number] }
        >;
        bytes[8 + size + header[name]!.data_offsets[0]]! ^= 1;
        files[WEIGHTS] = bytes;
      },
    ],
  ])('changes with %s', async (_, change) => {
    const files = await filesOfModel();
    const before = await keyIn(files, 'cat');
    change(files);
    expect(await keyIn(files, 'cat')).not.toBe(before);
  });
});

describe('the file', () => {
  const key = 'ab'.repeat(32);
  const shape = [1, 2, 4];
  const states: PromptStates = {
    shape,
    data: Float32Array.of(1, -2, 3, 0.1, 1e-30, 6, 7, 8),
    lost: 'dogs, “cats”',
  };

  test('comes back bit for bit', async () => {
    expect(await unpackStates(key, await packStates(key, states), shape)).toEqual(states);
  });

  test('under the name of another prompt counts as none', async () => {
    const file = await packStates(key, states);
    expect(await unpackStates('cd'.repeat(32), file, shape)).toBeUndefined();
  });

  test('of a shape that the encoder does not have counts as none', async () => {
    const file = await packStates(key, states);
    expect(await unpackStates(key, file, [1, 1, 8])).toBeUndefined();
  });

  test('that lost its end counts as none', async () => {
    const file = await packStates(key, states);
    for (const length of [0, 5, 100, file.length - 1]) {
      expect(await unpackStates(key, file.slice(0, length), shape)).toBeUndefined();
    }
  });

  test('with any byte of the data changed counts as none', async () => {
    const file = await packStates(key, states);
    for (let i = file.length - 32; i < file.length; i++) {
      const changed = file.slice();
      changed[i]! ^= 1;
      expect(await unpackStates(key, changed, shape), `byte ${i}`).toBeUndefined();
    }
  });
});
