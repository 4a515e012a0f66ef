/**
 * --prompt and --negative-prompt: which states the model's text encoder has to make, and where they
 * are kept. A model may bring states of its own (prompt_embeds.safetensors), and so may --noise.
 */
import type { Tensors } from '../invsr/model.ts';
import {
  OFFICIAL_NEGATIVE_PROMPT,
  OFFICIAL_PROMPT,
  openPrompts,
  type Prompts,
} from '../invsr/prompt.ts';
import { hasTextModel } from '../invsr/text-model.ts';
import { openFile } from '../weights/checkpoint.ts';
import type { Folder } from '../weights/folder.ts';
import { nodeCache } from '../weights/node-cache.ts';
import { InputError, reasonOf } from './errors.ts';
import type { CommandContext } from './progress.ts';
import type { UpscaleFlags } from './upscale-flags.ts';
import { userCache } from './user-cache.ts';

type PromptFlags = Pick<UpscaleFlags, 'prompt' | 'negativePrompt' | 'cfg'>;

const STATES = 'prompt_embeds.safetensors';

/** undefined: the states at hand are the ones that are wanted. */
export async function findPrompts(
  folder: Folder,
  flags: PromptFlags,
  {
    reporter,
    signal,
    notes,
    given = new Map(),
  }: CommandContext & {
    /** Where the states are kept, if it can be written. */
    readonly notes: string;
    readonly given?: Tensors | undefined;
  },
): Promise<Prompts | undefined> {
  const isGuided = flags.cfg > 1;
  const hasEncoder = await hasTextModel(folder);
  const asked = flags.prompt === undefined ? '--negative-prompt' : '--prompt';
  if ((flags.prompt ?? flags.negativePrompt) !== undefined && !hasEncoder) {
    throw new InputError(
      `${asked} needs a text encoder, and ${folder.name} has no text_encoder/config.json; leave it out to use the model's own prompt`,
    );
  }
  if (flags.negativePrompt !== undefined && !isGuided) {
    const flag = '--negative-prompt';
    reporter.warning(`${flag} has no effect without --cfg above 1`, { flag });
  }
  if (!hasEncoder) return undefined;

  const own = new Set([...given.keys(), ...(await namesIn(folder))]);
  const orOfficial = (name: string, official: string): string | undefined =>
    own.has(name) ? undefined : official;
  const prompt = flags.prompt ?? orOfficial('prompt_embeds', OFFICIAL_PROMPT);
  const negative = isGuided
    ? (flags.negativePrompt ?? orOfficial('negative_prompt_embeds', OFFICIAL_NEGATIVE_PROMPT))
    : undefined;
  if (prompt === undefined && negative === undefined) return undefined;

  await expectTokenizer(folder.folder('tokenizer'));
  const texts = {
    ...(prompt !== undefined && { prompt_embeds: prompt }),
    ...(negative !== undefined && { negative_prompt_embeds: negative }),
  };
  const cache = nodeCache([notes, userCache('prompts')], (reason) =>
    reporter.note(
      `the prompt's states cannot be kept (${reasonOf(reason)}): the next run computes them again`,
    ),
  );
  const prompts = await openPrompts(folder, texts, { cache, signal });
  for (const { prompt: name, words, tokens } of prompts.lost) {
    const flag = name === 'prompt_embeds' ? '--prompt' : '--negative-prompt';
    reporter.warning(
      `${flag} is longer than the ${tokens} tokens of the encoder; left out: ${words}`,
      { flag, lost: words },
    );
  }
  return prompts;
}

/** The reader would name the file; what it is for is said here. */
async function expectTokenizer(tokenizer: Folder): Promise<void> {
  const files: readonly string[] = await tokenizer.list().catch(() => []);
  if (files.includes('vocab.json')) return;
  throw new InputError(
    `${tokenizer.name}: no vocab.json; a prompt needs the tokenizer of the model's text encoder there (vocab.json and merges.txt), or else ${STATES} beside unet/`,
  );
}

/** Which states the folder has; none without the file. */
async function namesIn(folder: Folder): Promise<string[]> {
  if (!(await folder.list()).includes(STATES)) return [];
  const file = await openFile(folder, STATES);
  await file.close();
  return [...file.tensors.keys()];
}

/** What `--json` tells of prompts that are not the default ones. */
export const promptResult = ({ prompt, negativePrompt, cfg }: PromptFlags): object => ({
  ...(prompt !== undefined && { prompt }),
  ...(negativePrompt !== undefined && cfg > 1 && { negativePrompt }),
});
