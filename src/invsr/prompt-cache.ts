/**
 * A prompt's states as a file that is kept, so that the text encoder runs once per prompt and model.
 *
 *   key    SHA-256 of our format, the encoder's config and weights, the tokenizer's files, the prompt
 *   file   safetensors: `states` f32 [1, L, C]; metadata: format, key, SHA-256 of the data, lost words
 *
 * Of each weight a few bytes from its middle stand for the whole: two models of one architecture have
 * equal names, shapes and sizes, and training moves every tensor. A file that is damaged, of another
 * format or under another key's name counts as none.
 */
import type { Shape } from '../engine/kernel.ts';
import type { Checkpoint } from '../weights/checkpoint.ts';
import { CheckpointError } from '../weights/error.ts';
import { concatBytes, safetensorsParts } from '../weights/safetensors-write.ts';
import { readHeader } from '../weights/safetensors.ts';
import { readPart, readTensor } from '../weights/tensor-reads.ts';
import { bytesSource } from '../weights/source.ts';
import type { TextModel } from './text-model.ts';
import type { TokenizerFiles } from './tokenizer.ts';

/** Of the file and of what is in it: raise it when either changes. */
const FORMAT = 'invsr-prompt-1';

const SAMPLE_BYTES = 256;

/** Where files are kept; weights/node-cache.ts on disk. Neither call rejects. */
export interface PromptCache {
  read(key: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  write(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

/** What the encoder made of one prompt. */
export interface PromptStates {
  /** [1, L, C] */
  readonly shape: Shape;
  readonly data: Float32Array<ArrayBuffer>;
  /** The end of the prompt, which did not fit; empty as a rule. */
  readonly lost: string;
}

/** Makes the key of a prompt; reads a little of every weight. */
export async function promptKeys(
  { configText, checkpoint }: TextModel,
  { vocab, merges, specialTokens, config }: TokenizerFiles,
  signal?: AbortSignal,
): Promise<(prompt: string) => Promise<string>> {
  const texts = [configText, vocab, merges, specialTokens, config];
  const model = await sha256(
    concatBytes([encode(JSON.stringify(texts)), ...(await sampleWeights(checkpoint, signal))]),
  );
  return (prompt) => sha256(encode(JSON.stringify([FORMAT, model, prompt])));
}

async function sampleWeights(checkpoint: Checkpoint, signal?: AbortSignal): Promise<Uint8Array[]> {
  const parts: Uint8Array[] = [];
  for (const [name, tensor] of [...checkpoint.tensors].toSorted(byName)) {
    const { dtype, shape, bytes } = tensor;
    const length = Math.min(bytes, SAMPLE_BYTES);
    const begin = Math.floor((bytes - length) / 2);
    parts.push(encode(`${name} ${dtype} ${shape.join()}`));
    parts.push(await readPart(`${checkpoint.name}: ${name}`, tensor, { begin, length }, signal));
  }
  return parts;
}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  a < b ? -1 : 1;

export async function packStates(
  key: string,
  { shape, data, lost }: PromptStates,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const metadata = { format: FORMAT, key, sha256: await sha256(bytes), lost };
  return concatBytes(
    safetensorsParts(new Map([['states', { dtype: 'F32', shape, bytes }]]), metadata),
  );
}

/** undefined: not what `packStates` made under this key. */
export async function unpackStates(
  key: string,
  file: Uint8Array<ArrayBuffer>,
  shape: Shape,
): Promise<PromptStates | undefined> {
  const source = bytesSource('prompt states', file);
  try {
    const { tensors, metadata } = await readHeader(source);
    const entry = tensors.get('states');
    if (metadata['format'] !== FORMAT || metadata['key'] !== key || !entry) return undefined;
    if (entry.dtype !== 'F32' || entry.shape.join() !== shape.join()) return undefined;
    const bytes = await readTensor(source, entry);
    if ((await sha256(bytes)) !== metadata['sha256']) return undefined;
    return { shape, data: new Float32Array(bytes.buffer), lost: metadata['lost'] ?? '' };
  } catch (error) {
    if (error instanceof CheckpointError) return undefined;
    throw error;
  }
}

const encode = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
