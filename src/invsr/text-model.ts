/**
 * A model folder's text encoder and tokenizer, opened: configs read, names and shapes known, weights
 * still on disk.
 *
 *   text_encoder/   config.json beside the weights
 *   tokenizer/      vocab.json, merges.txt, special_tokens_map.json
 */
import type { WeightSource } from '../graph/weight-source.ts';
import { splitKey } from '../graph/weights.ts';
import { type Checkpoint, openCheckpoint } from '../weights/checkpoint.ts';
import type { Folder } from '../weights/folder.ts';
import { readTextEncoderConfig, type TextEncoderConfig } from './config.ts';
import { placeIn, sourceOf } from './weight-place.ts';

export interface TextModel extends WeightSource {
  /** The folder's path or URL. */
  readonly name: string;
  readonly config: TextEncoderConfig;
  /** config.json as it is. */
  readonly configText: string;
  readonly checkpoint: Checkpoint;
  close(): Promise<void>;
}

export async function hasTextModel(folder: Folder): Promise<boolean> {
  return (await folder.folder('text_encoder').list()).includes('config.json');
}

export async function openTextModel(folder: Folder): Promise<TextModel> {
  const encoder = folder.folder('text_encoder');
  const configText = await encoder.readText('config.json');
  const config = readTextEncoderConfig(configText, `${encoder.name}/config.json`);
  const checkpoint = await openCheckpoint(encoder);
  const order = new Map([...checkpoint.tensors.keys()].map((name, i) => [name, i]));
  return {
    name: folder.name,
    config,
    configText,
    checkpoint,
    ...sourceOf(folder.name, ({ key }) => {
      const { name } = splitKey(key);
      const tensor = checkpoint.tensors.get(name);
      return tensor && placeIn(tensor, order.get(name) ?? 0);
    }),
    close: () => checkpoint.close(),
  };
}
