/**
 * A tokenizer in the manner of CLIP's with a vocabulary of our own: single bytes, with and without
 * the mark of a word's end, a few merges, begin and end under CLIP's ids. CLIP's own files are data
 * of others and not in this repository; where INVSR_CLIP_TOKENIZER names a folder with them, tests
 * use them too.
 */

/** What every prompt begins and ends with. */
export const START = 49406;
export const END = 49407;

/** GPT-2's letters for bytes: printable ones stand for themselves, the others from U+0100 on. */
export function byteLetters(): string[] {
  const printable = (b: number): boolean =>
    (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || (b >= 0xae && b <= 0xff);
  const letters: string[] = [];
  let next = 0x100;
  for (let b = 0; b < 256; b++) letters[b] = String.fromCodePoint(printable(b) ? b : next++);
  return letters;
}

/** In CLIP's order: printable bytes first, so that "!" is 0. */
const LETTERS = byteLetters().toSorted();

const MERGES = ['c a', 'ca t</w>', 'd o', 'do g</w>', 'p h', 'ph o', 't o</w>', 'pho to</w>'];

export const VOCAB: Readonly<Record<string, number>> = {
  ...Object.fromEntries(
    [
      ...LETTERS,
      ...LETTERS.map((letter) => `${letter}</w>`),
      ...MERGES.map((merge) => merge.replace(' ', '')),
    ].map((token, id) => [token, id]),
  ),
  '<|startoftext|>': START,
  '<|endoftext|>': END,
};

const token = (content: string) => ({ content, normalized: true, single_word: false });

/** As SD 2 has them: the two files contradict each other on the padding. */
export const TOKENIZER_FILES = {
  'vocab.json': JSON.stringify(VOCAB),
  'merges.txt': `#version: 0.2\n${MERGES.join('\n')}\n`,
  'special_tokens_map.json': JSON.stringify({
    bos_token: token('<|startoftext|>'),
    eos_token: token('<|endoftext|>'),
    pad_token: '!',
  }),
  'tokenizer_config.json': JSON.stringify({
    pad_token: '<|endoftext|>',
    tokenizer_class: 'CLIPTokenizer',
  }),
};

/** As files of a model folder. */
export const tokenizerFiles = (
  files: Readonly<Record<string, string>> = TOKENIZER_FILES,
): Record<string, Uint8Array<ArrayBuffer>> =>
  Object.fromEntries(
    Object.entries(files).map(([name, text]) => [
      `tokenizer/${name}`,
      new TextEncoder().encode(text),
    ]),
  );

/** A folder with CLIP's own tokenizer files, or undefined. */
export const CLIP_TOKENIZER = process.env['INVSR_CLIP_TOKENIZER'];

/** To be said where it is missing: the golden texts are then not checked. */
export function sayWhetherClip(what: string): void {
  if (CLIP_TOKENIZER === undefined) {
    console.warn(`SKIPPED ${what}: set INVSR_CLIP_TOKENIZER to SD 2's tokenizer/ folder`);
  }
}
