/** The official prompt's states for models that come with a text encoder, made once and kept. */
import { type Folder, type Model, openContext, openModel } from '../../src/index.ts';
import type { PromptCache } from '../../src/prompt.ts';

const FILE = 'prompt_embeds.safetensors';

/** A model whose prompt is known: from its own file, or by its text encoder on this device. */
export async function openWithPrompt(
  folder: Folder,
  device: GPUDevice,
  signal: AbortSignal,
): Promise<Model> {
  if ((await folder.list()).includes(FILE)) return openModel(folder);
  // Tokenizer and text encoder: a part of the page that few need.
  const { promptStates } = await import('../../src/prompt.ts');
  const context = await openContext(device);
  try {
    return await openModel(folder, await promptStates(folder, context, { cache: CACHE, signal }));
  } finally {
    context.dispose();
  }
}

const open = (): Promise<Cache> => caches.open('invsr-prompts');
const address = (key: string): string => new URL(`prompts/${key}`, document.baseURI).href;

const CACHE: PromptCache = {
  async read(key) {
    try {
      const found = await (await open()).match(address(key));
      return found && new Uint8Array(await found.arrayBuffer());
    } catch {
      return undefined; // made again
    }
  },
  async write(key, bytes) {
    await open()
      .then((cache) => cache.put(address(key), new Response(bytes)))
      .catch(() => {});
  },
};
