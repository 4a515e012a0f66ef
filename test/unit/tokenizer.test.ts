/** The CLIP tokenizer: its rules on a vocabulary of our own, its ids on CLIP's where that is at hand. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../src/invsr/errors.ts';
import { createTokenizer, readTokenizerFiles, type Tokenizer } from '../../src/invsr/tokenizer.ts';
import { memoryFolder } from '../../src/weights/folder.ts';
import { nodeFolder } from '../../src/weights/node-file.ts';
import { goldenPath } from '../harness/goldens.ts';
import {
  byteLetters,
  CLIP_TOKENIZER,
  END,
  sayWhetherClip,
  START,
  TOKENIZER_FILES,
  tokenizerFiles,
  VOCAB,
} from '../harness/tiny-tokenizer.ts';

type Files = Readonly<Record<string, string>>;
const open = async (files: Files = TOKENIZER_FILES): Promise<Tokenizer> => {
  const folder = memoryFolder('model', new Map(Object.entries(tokenizerFiles(files))));
  return createTokenizer(await readTokenizerFiles(folder.folder('tokenizer')));
};
const without = (name: string): Files =>
  Object.fromEntries(Object.entries(TOKENIZER_FILES).filter(([file]) => file !== name));

/** Ids of tokens, by name. */
const idsOf = (...tokens: string[]): number[] => tokens.map((token) => VOCAB[token]!);
const [A, CAT, DOG, PHOTO] = idsOf('a</w>', 'cat</w>', 'dog</w>', 'photo</w>');

describe('ids', () => {
  test.each<readonly [string, text: string, words: readonly (number | undefined)[]]>([
    ['merged words', 'a photo cat', [A, PHOTO, CAT]],
    ['a merge ends at the word', 'catdog', [...idsOf('ca', 't', 'dog</w>')]],
    ['upper case', 'A CaT', [A, CAT]],
    ['spaces of any kind', '  a\t\n cat  ', [A, CAT]],
    ['signs apart from letters', 'cat,dog!', [CAT, ...idsOf(',</w>'), DOG, ...idsOf('!</w>')]],
    ['signs together', 'a...', [A, ...idsOf('.', '.', '.</w>')]],
    ['digits one by one', '12', idsOf('1</w>', '2</w>')],
    ['apostrophes', "cat's", [CAT, ...idsOf("'", 's</w>')]],
    ['nothing', '', []],
  ])('%s', async (_, text, words) => {
    const { ids, lost } = (await open()).encode(text, 20);
    const padding = Array<number>(18 - words.length).fill(0);
    expect(ids).toEqual([START, ...words, END, ...padding]);
    expect(lost).toBe('');
  });

  test('bytes of other alphabets, composed first', async () => {
    const tokenizer = await open();
    const letters = byteLetters();
    const bytes = [...new TextEncoder().encode('\u00e9')].map((b) => letters[b]!);
    const expected = idsOf(bytes[0]!, `${bytes[1]!}</w>`);
    expect(tokenizer.encode('\u00e9', 10).ids.slice(1, 3)).toEqual(expected);
    expect(tokenizer.encode('e\u0301', 10).ids).toEqual(tokenizer.encode('\u00e9', 10).ids);
  });

  test('a text too long keeps its beginning and its end token, and says what is lost', async () => {
    const { ids, lost } = (await open()).encode('a cat dog photo, cats', 5);
    expect(ids).toEqual([START, A, CAT, DOG, END]);
    expect(lost).toBe('photo, cats');
  });

  test('a text that fits exactly', async () => {
    expect((await open()).encode('a cat dog', 5)).toEqual({
      ids: [START, A, CAT, DOG, END],
      lost: '',
    });
  });
});

describe('padding', () => {
  const padding = async (files: Files): Promise<number | undefined> =>
    (await open(files)).encode('', 3).ids[2];

  test('special_tokens_map.json has the last word', async () => {
    expect(await padding(TOKENIZER_FILES)).toBe(0);
  });
  test('without it, tokenizer_config.json', async () => {
    expect(await padding(without('special_tokens_map.json'))).toBe(END);
  });
  test('without both, the end token', async () => {
    const { 'vocab.json': vocab, 'merges.txt': merges } = TOKENIZER_FILES;
    expect(await padding({ 'vocab.json': vocab, 'merges.txt': merges })).toBe(END);
  });
});

describe('refused', () => {
  test.each<readonly [string, Files, RegExp]>([
    ['no vocabulary', without('vocab.json'), /tokenizer: no vocab\.json; the folder has merges/],
    ['no merges', without('merges.txt'), /tokenizer: no merges\.txt/],
    [
      'a cut vocabulary',
      { ...TOKENIZER_FILES, 'vocab.json': TOKENIZER_FILES['vocab.json'].slice(0, 99) },
      /vocab\.json is not valid JSON; download it again/,
    ],
    [
      'a vocabulary without numbers',
      { ...TOKENIZER_FILES, 'vocab.json': '{"a": "b"}' },
      /vocab\.json: "a" is "b", expected the number/,
    ],
    [
      'another kind of merges',
      { ...TOKENIZER_FILES, 'merges.txt': '<html>' },
      /merges\.txt has the line "<html>", expected pairs/,
    ],
    ['empty merges', { ...TOKENIZER_FILES, 'merges.txt': '' }, /merges\.txt is empty/],
    [
      'a padding that the vocabulary lacks',
      { ...TOKENIZER_FILES, 'special_tokens_map.json': '{"pad_token": "<pad>"}' },
      /pad_token is "<pad>", which vocab\.json does not have/,
    ],
  ])('%s', async (_, files, message) => {
    await expect(open(files)).rejects.toThrow(message);
  });

  test('by ConfigError', async () => {
    await expect(open({ ...TOKENIZER_FILES, 'vocab.json': '[]' })).rejects.toThrow(ConfigError);
  });
});

sayWhetherClip("the golden texts of CLIP's tokenizer");
describe.skipIf(CLIP_TOKENIZER === undefined)("CLIP's own vocabulary", () => {
  const texts = JSON.parse(readFileSync(goldenPath('networks/tokenizer.json'), 'utf8')) as {
    readonly text: string;
    readonly ids: readonly number[];
  }[];

  test('ten texts', async () => {
    const files = await readTokenizerFiles(nodeFolder(CLIP_TOKENIZER ?? ''));
    const tokenizer = await createTokenizer(files);
    for (const { text, ids } of texts) expect(tokenizer.encode(text, 77).ids, text).toEqual(ids);
    expect(texts).toHaveLength(10);
  });
});
