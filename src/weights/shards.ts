/**
 * Weights in shards: several *.safetensors files under an index beside them, `*.index.json`:
 *
 *   { "weight_map": { tensor name: file name } }
 */
import { isShard } from './file-names.ts';
import type { Assembly } from './checkpoint.ts';
import { CheckpointError } from './error.ts';
import type { Folder } from './folder.ts';
import type { StoredTensor } from './pth.ts';
import { readHeader, stored, type TensorEntry } from './safetensors.ts';
import type { ByteSource } from './source.ts';

/** The tensors of all shards. CheckpointError: index and shards do not go together. */
export async function openShards(
  folder: Folder,
  index: string,
  signal: AbortSignal | undefined,
): Promise<Assembly> {
  const where = `${folder.name}/${index}`;
  const files = await folder.list();
  const weightMap = parseIndex(where, await folder.readText(index));
  const sources: ByteSource[] = [];
  try {
    const headers = new Map<
      string,
      { source: ByteSource; tensors: ReadonlyMap<string, TensorEntry> }
    >();
    for (const shard of new Set(weightMap.values())) {
      // A URL folder without a list of files cannot know the shards' names; opening them tells.
      if (files.some(isShard) && !files.includes(shard)) {
        throw new CheckpointError(
          `${where}: needs ${shard}, which is not in ${folder.name}; download it`,
        );
      }
      const source = await folder.open(shard);
      sources.push(source);
      headers.set(shard, { source, tensors: (await readHeader(source, signal)).tensors });
    }
    const tensors = new Map<string, StoredTensor>();
    for (const [name, shard] of weightMap) {
      const header = headers.get(shard);
      const entry = header?.tensors.get(name);
      if (!header || !entry) {
        throw new CheckpointError(
          `${where}: puts ${name} into ${shard}, which has no such tensor; download both again`,
        );
      }
      tensors.set(name, stored(header.source, entry));
    }
    return { sources, tensors };
  } catch (error) {
    await Promise.all(sources.map((source) => source.close()));
    throw error;
  }
}

function parseIndex(where: string, text: string): Map<string, string> {
  let index: unknown;
  try {
    index = JSON.parse(text);
  } catch (error) {
    throw new CheckpointError(`${where}: is not JSON (${String(error)})`, { cause: error });
  }
  const map: unknown =
    typeof index === 'object' && index !== null && 'weight_map' in index ? index.weight_map : null;
  if (typeof map !== 'object' || map === null) {
    throw new CheckpointError(`${where}: has no "weight_map"`);
  }
  return new Map(
    Object.entries(map).map(([name, file]: [string, unknown]) => {
      // Beside the index and nowhere else: an index must not make us open /etc/passwd.
      if (typeof file !== 'string' || !/^[^/\\]+\.safetensors$/.test(file)) {
        throw new CheckpointError(
          `${where}: weight_map puts ${name} into ${JSON.stringify(file)}, expected the name of a *.safetensors file beside it`,
        );
      }
      return [name, file];
    }),
  );
}
