/** A text encoder's files: rows of its table, and what is said before a device when they do not fit. */
import { describe, expect, test } from 'vitest';
import { WeightError } from '../../src/graph/weights.ts';
import { ConfigError } from '../../src/invsr/errors.ts';
import { openPrompts } from '../../src/invsr/prompt.ts';
import { readTokenRows } from '../../src/invsr/text-encoder.ts';
import { hasTextModel, openTextModel } from '../../src/invsr/text-model.ts';
import { memoryFolder } from '../../src/weights/folder.ts';
import { toSingle } from '../../src/weights/half.ts';
import { syntheticWeight } from '../../src/weights/synthetic.ts';
import { tinyModel, tinyTextEncoder } from '../harness/synthetic.ts';
import { tokenizerFiles } from '../harness/tiny-tokenizer.ts';
import { readPart } from '../../src/weights/tensor-reads.ts';

const TABLE = 'text_model.embeddings.token_embedding.weight';
const WIDTH = 64;

describe('token rows', () => {
  test('are those of the table, in the order of the ids', async () => {
    const { checkpoint, config } = await openTextModel(tinyTextEncoder());
    const table = toSingle(syntheticWeight('text_encoder', TABLE, [49408, WIDTH]));
    const ids = [49406, 7, 7, 0, 49407];
    const rows = await readTokenRows(checkpoint, ids, config);
    const expected = ids.flatMap((id) => [...table.subarray(id * WIDTH, (id + 1) * WIDTH)]);
    expect([...rows]).toEqual(expected);
  });

  test('are asked for at once, each of them once: neighbours become one read', async () => {
    const { checkpoint, config } = await openTextModel(tinyTextEncoder());
    const asked: number[] = [];
    const table = checkpoint.tensors.get(TABLE)!;
    const part: typeof table.part = (begin, ...rest) => {
      asked.push(begin);
      return table.part(begin, ...rest);
    };
    const tensors = new Map([[TABLE, { ...table, part }]]);
    const reading = readTokenRows({ ...checkpoint, tensors }, [49406, 7, 7, 0], config);
    expect(asked).toEqual([49406, 7, 0].map((id) => 2 * WIDTH * id));
    await reading;
    expect(asked).toHaveLength(3);
  });

  test('a token that the encoder does not know', async () => {
    const { checkpoint, config } = await openTextModel(tinyTextEncoder());
    await expect(readTokenRows(checkpoint, [1, 49408], config)).rejects.toThrow(
      /the tokenizer gives token 49408, the encoder knows 49408; they are of different models/,
    );
  });

  test('a table of another size', async () => {
    const { checkpoint, config } = await openTextModel(tinyTextEncoder());
    const wrong = readTokenRows(checkpoint, [1], { ...config, vocabulary: 100 });
    await expect(wrong).rejects.toThrow(ConfigError);
    await expect(wrong).rejects.toThrow(/is \[49408,64\], expected \[100,64\] by its config\.json/);
  });

  test('a row that cannot be read: told when no other is being read any more', async () => {
    const { checkpoint, config } = await openTextModel(tinyTextEncoder());
    const table = checkpoint.tensors.get(TABLE)!;
    let reading = 0;
    const part = async (begin: number): Promise<never> => {
      reading++;
      if (begin > 0) await new Promise((resolve) => setTimeout(resolve, 20));
      reading--;
      throw new Error(`no row at ${begin}`);
    };
    const tensors = new Map([[TABLE, { ...table, part }]]);
    const rows = readTokenRows({ ...checkpoint, tensors }, [0, 1], config);
    await expect(rows).rejects.toThrow('no row at 0');
    expect(reading).toBe(0);
  });

  test('no read goes beyond its tensor', async () => {
    const { checkpoint } = await openTextModel(tinyTextEncoder());
    const table = checkpoint.tensors.get(TABLE)!;
    const read = (begin: number) => readPart(TABLE, table, { begin, length: 2 });
    expect(await read(table.bytes - 2)).toHaveLength(2);
    await expect(read(table.bytes - 1)).rejects.toThrow(
      /token_embedding\.weight has 6,324,224 bytes, asked for 2 from 6324223/,
    );
  });
});

describe('before there is a device', () => {
  const withConfig = async (changes: object) => {
    const encoder = tinyTextEncoder().folder('text_encoder');
    const config = JSON.parse(await encoder.readText('config.json')) as object;
    const source = await encoder.open('model.fp16.safetensors');
    return memoryFolder(
      'model',
      new Map([
        [
          'text_encoder/config.json',
          new TextEncoder().encode(JSON.stringify({ ...config, ...changes })),
        ],
        ['text_encoder/model.safetensors', await source.read(0, await source.size())],
        ...Object.entries(tokenizerFiles()),
      ]),
    );
  };

  test('a layer that the weights lack', async () => {
    const folder = await withConfig({ num_hidden_layers: 3 });
    const opened = openPrompts(folder, { prompt_embeds: 'a cat' });
    await expect(opened).rejects.toThrow(WeightError);
    await expect(opened).rejects.toThrow(
      /text_encoder: the checkpoint has no tensor "text_model\.encoder\.layers\.2\./,
    );
  });

  test('a width that the weights do not have', async () => {
    const folder = await withConfig({ hidden_size: 32 });
    await expect(openPrompts(folder, { prompt_embeds: 'a cat' })).rejects.toThrow(
      /token_embedding\.weight is \[49408,64\], expected \[49408,32\]/,
    );
  });

  test('whether there is an encoder at all', async () => {
    expect(await hasTextModel(tinyTextEncoder())).toBe(true);
    expect(await hasTextModel(tinyModel())).toBe(false);
  });
});
