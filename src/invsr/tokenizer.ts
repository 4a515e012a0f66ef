/**
 * The CLIP tokenizer of a Stable Diffusion model: text → the ids that its text encoder takes.
 *
 *   vocab.json               token → id; a token that ends a word ends in `</w>`
 *   merges.txt               pairs of byte-level BPE, the most frequent first
 *   special_tokens_map.json  which tokens begin, end and pad
 *   tokenizer_config.json    the same where that file is silent; where they differ it is outdated
 *
 *   ids = BOS, BPE(lower-case text), EOS, padding to the length
 *
 * @huggingface/tokenizers does the work, from the tokenizer.json that these models lack and that is
 * put together here. It is loaded when a text is first tokenized: who brings prompt states of their
 * own never needs it. It is given what a text can be made of: all of CLIP's vocabulary at once keeps a
 * page's thread for too long.
 */
import { letGo } from '../engine/slices.ts';
import type { Folder } from '../weights/folder.ts';
import { ConfigError } from './errors.ts';

/** The folder's files as text; empty where an optional one is missing. */
export interface TokenizerFiles {
  /** For messages. */
  readonly name: string;
  readonly vocab: string;
  readonly merges: string;
  readonly specialTokens: string;
  readonly config: string;
}

export interface Tokens {
  readonly ids: readonly number[];
  /** The end of the text, for which there was no room; empty as a rule. */
  readonly lost: string;
}

export interface Tokenizer {
  /** Exactly `length` ids. */
  encode(text: string, length: number): Tokens;
}

/** The text as words: with its apostrophes, one digit or run of letters or of other signs at a time. */
const WORDS = String.raw`'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`;

export async function readTokenizerFiles(folder: Folder): Promise<TokenizerFiles> {
  const present = await folder.list();
  const optional = async (file: string): Promise<string> =>
    present.includes(file) ? folder.readText(file) : '';
  return {
    name: folder.name,
    vocab: await folder.readText('vocab.json'),
    merges: await folder.readText('merges.txt'),
    specialTokens: await optional('special_tokens_map.json'),
    config: await optional('tokenizer_config.json'),
  };
}

/** ConfigError where the files do not fit each other. */
export async function createTokenizer(files: TokenizerFiles): Promise<Tokenizer> {
  await letGo();
  const vocab = parseVocab(files);
  await letGo();
  const merges = parseMerges(files);
  const special = specialTokens(files, vocab);
  const { Tokenizer: Library } = await import('@huggingface/tokenizers');
  return {
    encode(text, length) {
      const library = new Library(
        tokenizerJson(vocabularyOf(text, { vocab, merges }, special), special),
        {},
      );
      const words = library.encode(text, { add_special_tokens: false }).ids;
      const room = length - 2;
      const kept = words.slice(0, room);
      const ids = [special.begin.id, ...kept, special.end.id];
      while (ids.length < length) ids.push(special.pad.id);
      const lost = words.slice(room);
      return { ids, lost: lost.length > 0 ? library.decode(lost).trim() : '' };
    },
  };
}

interface Vocabulary {
  readonly vocab: Readonly<Record<string, number>>;
  /** Pairs with a space between, the most frequent first. */
  readonly merges: readonly string[];
}

/** Letters and signs that stand for themselves; byte-level BPE has other letters' bytes under other names. */
const PLAIN = /^[\s!-~]*$/;

/** A token that ends a word also stands inside the text, without its mark. */
const END_OF_WORD = '</w>';

/** The tokens that a text can be made of: its letters, and merges of what stands side by side in it. */
function vocabularyOf(
  text: string,
  { vocab, merges }: Vocabulary,
  { begin, end }: SpecialTokens,
): Vocabulary {
  if (!PLAIN.test(text)) return { vocab, merges };
  const lower = text.toLowerCase();
  const merged = (pair: string): string => pair.replace(' ', '');
  const possible = merges.filter((pair) => {
    const token = merged(pair);
    return lower.includes(
      token.endsWith(END_OF_WORD) ? token.slice(0, -END_OF_WORD.length) : token,
    );
  });
  const letters = [...new Set(lower)].flatMap((letter) => [letter, letter + END_OF_WORD]);
  const tokens = [...letters, ...possible.map(merged), begin.content, end.content];
  const known = tokens.flatMap((token) => {
    const id = vocab[token];
    return id === undefined ? [] : [[token, id] as const];
  });
  return { vocab: Object.fromEntries(known), merges: possible };
}

interface SpecialToken {
  readonly content: string;
  readonly id: number;
}
type SpecialTokens = Readonly<Record<'begin' | 'end' | 'pad', SpecialToken>>;

function specialTokens(
  { name, specialTokens: map, config }: TokenizerFiles,
  vocab: Readonly<Record<string, number>>,
): SpecialTokens {
  const sources = [
    map && parseObject(map, `${name}/special_tokens_map.json`),
    config && parseObject(config, `${name}/tokenizer_config.json`),
  ].filter((source) => typeof source === 'object');
  const token = (key: string, fallback: string): SpecialToken => {
    const given = sources.map((source) => contentOf(source[key])).find((c) => c !== undefined);
    const content = given ?? fallback;
    const id = vocab[content];
    if (typeof id === 'number') return { content, id };
    throw new ConfigError(
      `${name}: ${key} is ${JSON.stringify(content)}, which vocab.json does not have; the files are of different models`,
    );
  };
  const begin = token('bos_token', '<|startoftext|>');
  const end = token('eos_token', '<|endoftext|>');
  return { begin, end, pad: token('pad_token', end.content) };
}

/** A token is given as text, or as an object around it. */
function contentOf(value: unknown): string | undefined {
  const content =
    typeof value === 'object' && value !== null && 'content' in value ? value.content : value;
  return typeof content === 'string' ? content : undefined;
}

function parseMerges({ name, merges: text }: TokenizerFiles): readonly string[] {
  const merges = text.split(/\r?\n/).filter((line) => line !== '' && !line.startsWith('#version'));
  const wrong = merges.find((line) => !/^\S+ \S+$/.test(line));
  if (wrong === undefined && merges.length > 0) return merges;
  throw new ConfigError(
    `${name}/merges.txt ${wrong === undefined ? 'is empty' : `has the line ${JSON.stringify(wrong.slice(0, 80))}`}, expected pairs of tokens; download it again`,
  );
}

function tokenizerJson({ vocab, merges }: Vocabulary, { begin, end }: SpecialTokens): object {
  return {
    version: '1.0',
    added_tokens: [begin, end].map((token) => ({
      ...token,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'NFC' },
        { type: 'Replace', pattern: { Regex: String.raw`\s+` }, content: ' ' },
        { type: 'Lowercase' },
      ],
    },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: WORDS }, behavior: 'Removed', invert: true },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true },
      ],
    },
    post_processor: null, // begin and end are put around the words after cutting
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true },
    model: {
      type: 'BPE',
      unk_token: end.content,
      continuing_subword_prefix: '',
      end_of_word_suffix: END_OF_WORD,
      fuse_unk: false,
      vocab,
      merges,
    },
  };
}

function parseVocab({ name, vocab }: TokenizerFiles): Readonly<Record<string, number>> {
  const file = `${name}/vocab.json`;
  const object = parseObject(vocab, file);
  const wrong = Object.entries(object).find(([, id]) => !Number.isInteger(id) || Number(id) < 0);
  if (!wrong) return object as Readonly<Record<string, number>>;
  throw new ConfigError(
    `${file}: ${JSON.stringify(wrong[0])} is ${JSON.stringify(wrong[1])}, expected the number of the token`,
  );
}

function parseObject(text: string, file: string): Readonly<Record<string, unknown>> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new ConfigError(`${file} is not valid JSON; download it again`, { cause });
  }
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) {
    return parsed as Readonly<Record<string, unknown>>;
  }
  throw new ConfigError(`${file} is not a JSON object; download it again`);
}
