/**
 * A model out of files that were dropped on a page or picked: a model's folder, the folders in it, or
 * its files, beside others that do not matter.
 *
 *   …/unet/config.json                      unet/config.json, whatever is above it
 *   noise_predictor_sd_turbo_v5.pth         noise_predictor/…, and our config.json where it has none
 *   scheduler_config.json, vocab.json …     where they belong by their names
 *   config (1).json, model.safetensors …    where they belong by what is in them (identify.ts)
 */
import { openCheckpoint, openFile } from '../checkpoint.ts';
import { isIndex, isShard } from '../file-names.ts';
import { CheckpointError } from '../error.ts';
import { blobFolder, type BlobFolder } from '../folder.ts';
import { HUB_MODELS } from '../hub/models.ts';
import { identify } from './identify.ts';

export interface DroppedModel {
  /** What `openModel` and `ModelStore.keep` take. */
  readonly folder: BlobFolder;
  /** There are no prompt states and no text encoder that would make them. */
  readonly needsPrompt: boolean;
}

const FOLDERS = ['unet', 'vae', 'noise_predictor', 'scheduler', 'text_encoder', 'tokenizer'];
const NETWORKS = ['unet', 'vae', 'noise_predictor'];
const WEIGHTS = /\.(?:safetensors|pth|pt|bin|ckpt)$/i;
const PROMPT = 'prompt_embeds.safetensors';
/** What makes prompt states. */
const ENCODER = [
  /^text_encoder\/config\.json$/,
  /^text_encoder\/.*\.(?:safetensors|bin|pth|pt)$/,
  /^tokenizer\/vocab\.json$/,
  /^tokenizer\/merges\.txt$/,
];
/** Files that are known by their names, wherever they were. */
const PLACES: readonly (readonly [RegExp, string])[] = [
  [/^prompt_embeds\.safetensors$/, ''],
  [/^noise_predictor.*\.(?:pth|pt|safetensors)$/, 'noise_predictor/'],
  [/^scheduler_config\.json$/, 'scheduler/'],
  [/^(?:vocab\.json|merges\.txt|tokenizer_config\.json|special_tokens_map\.json)$/, 'tokenizer/'],
];

/**
 * Reads headers, no weights. A DataTransfer is to be given in the `drop` event itself: browsers empty
 * it afterwards. CheckpointError: files are missing, twice there, damaged, or no model at all.
 */
export async function droppedFolder(
  dropped: Iterable<File> | DataTransfer,
  name = 'dropped files',
): Promise<DroppedModel> {
  const all = 'items' in dropped ? await filesOf(dropped) : pathsOf(dropped);
  const files = new Map<string, Blob>();
  const origins = new Map<string, string>();
  for (const [path, file] of all) {
    const target = targetOf(path) ?? (path.includes('/') ? undefined : await identify(file));
    if (target === undefined) continue;
    const other = origins.get(target);
    if (other !== undefined) {
      throw new CheckpointError(
        `${other} and ${path} are the same part of a model (${target}); drop one of them`,
      );
    }
    origins.set(target, path);
    files.set(target, file);
  }
  if (files.size === 0) throw notAModel(all.map(([path]) => path));
  addOwn(files);
  const missing = missingOf([...files.keys()]);
  if (missing.length > 0) {
    throw new CheckpointError(
      `${name}: the model is not complete; missing: ${missing.join(', ')}; drop the folder that has unet, vae, scheduler and noise_predictor (or its .pth)`,
    );
  }
  const hasPrompt = files.has(PROMPT);
  const hasEncoder = ENCODER.every((pattern) => [...files.keys()].some((p) => pattern.test(p)));
  const parts = hasEncoder ? [...NETWORKS, 'text_encoder'] : NETWORKS;
  for (const part of parts) await keepChosen(files, part, name);
  const folder = blobFolder(name, files);
  if (hasPrompt) await (await openFile(folder, PROMPT)).close();
  return { folder, needsPrompt: !hasPrompt && !hasEncoder };
}

type Dropped = readonly (readonly [path: string, file: File])[];

/** A folder that was picked tells paths; files alone tell names. */
const pathsOf = (files: Iterable<File>): Dropped =>
  Array.from(files, (file) => [file.webkitRelativePath || file.name, file] as const);

async function filesOf({ items }: DataTransfer): Promise<Dropped> {
  // Before anything is awaited: afterwards there are no items.
  const found = Array.from(items, (item) => ({
    entry: item.webkitGetAsEntry(),
    file: item.getAsFile(), // what a script put there is no entry
  }));
  const dropped = await Promise.all(
    found.map(async ({ entry, file }): Promise<Dropped> => {
      if (entry) return walk(entry);
      return file ? [[file.name, file]] : [];
    }),
  );
  return dropped.flat();
}

async function walk(entry: FileSystemEntry): Promise<Dropped> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    return [[entry.fullPath.slice(1), file]];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: FileSystemEntry[] = [];
  for (;;) {
    // Some at a time, none at the end.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) break;
    found.push(...some);
  }
  return (await Promise.all(found.map(walk))).flat();
}

/** Where a file belongs in the model's folder; undefined where it is none of it. */
function targetOf(path: string): string | undefined {
  const [file = '', parent = ''] = path.split('/').toReversed();
  if (file.startsWith('.')) return undefined;
  if (FOLDERS.includes(parent)) return `${parent}/${file}`;
  const place = PLACES.find(([pattern]) => pattern.test(file));
  return place && `${place[1]}${file}`;
}

/** A noise predictor as InvSR publishes it, or `weights convert` writes it, comes without a config. */
function addOwn(files: Map<string, Blob>): void {
  const isPublished = [...files.keys()].some((p) =>
    p.startsWith('noise_predictor/noise_predictor'),
  );
  for (const [path, text] of HUB_MODELS.flatMap(({ own }) => [...own])) {
    if (isPublished && !files.has(path)) files.set(path, new Blob([text]));
  }
}

function missingOf(paths: readonly string[]): string[] {
  const hasWeights = (part: string): boolean =>
    paths.some((path) => path.startsWith(`${part}/`) && WEIGHTS.test(path));
  const configs = NETWORKS.map((part) => `${part}/config.json`);
  return [
    ...[...configs, 'scheduler/scheduler_config.json'].filter((path) => !paths.includes(path)),
    ...NETWORKS.filter((part) => !hasWeights(part)).map((part) => `the weights of ${part}`),
  ];
}

/**
 * Of several files of weights (other precisions, other formats) the one that will be read, so that the
 * others are not stored. CheckpointError where it is damaged, or no checkpoint.
 */
async function keepChosen(files: Map<string, Blob>, part: string, name: string): Promise<void> {
  const checkpoint = await openCheckpoint(blobFolder(name, files).folder(part));
  await checkpoint.close();
  const chosen = checkpoint.name.slice(checkpoint.name.lastIndexOf('/') + 1);
  for (const path of files.keys()) {
    const file = path.slice(part.length + 1);
    if (!path.startsWith(`${part}/`) || !WEIGHTS.test(file) || file === chosen) continue;
    if (!(isIndex(chosen) && isShard(file))) files.delete(path);
  }
}

function notAModel(paths: readonly string[]): CheckpointError {
  const [first, ...others] = paths;
  if (first === undefined) return new CheckpointError('nothing was dropped that is a file');
  const what =
    others.length === 0 ? `${first} is` : `${first} and ${others.length} other files are`;
  return new CheckpointError(
    `${what} no model; drop a folder with unet, vae, scheduler and noise_predictor, or those folders`,
  );
}
