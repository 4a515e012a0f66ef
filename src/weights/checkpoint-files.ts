/**
 * Which of several files of a folder holds its weights: one *.safetensors file, or an index of shards, else the
 * only PyTorch checkpoint. Half precision is preferred.
 */
import { CheckpointError } from './error.ts';
import { isCandidate, isIndex, isShard, isTorchFile } from './file-names.ts';
import type { Folder } from './folder.ts';

const isHalf = (file: string): boolean => file.split('.').includes('fp16');
/** The names diffusers and transformers give; others (`…non_ema…`, `prompt_embeds`) are extras. */
const isStandard = (file: string): boolean => /^(diffusion_pytorch_)?model\./.test(file);

/** CheckpointError where there is none, or several that nothing tells apart. */
export function chooseFile(folder: Folder, files: readonly string[]): string {
  const candidates = files.filter(isCandidate);
  const standard = candidates.filter((f) => isStandard(f) && !f.includes('non_ema'));
  const pool = standard.length > 0 ? standard : candidates;
  const half = pool.filter(isHalf);
  const best = half.length > 0 ? half : pool;
  const [first, ...others] = best.toSorted((a, b) => Number(isIndex(a)) - Number(isIndex(b)));
  if (first === undefined) return chooseTorchFile(folder, files);
  // A single file beside an index of the same precision holds the same tensors.
  const rival = others.find((f) => isIndex(f) === isIndex(first));
  if (rival !== undefined) {
    throw new CheckpointError(
      `${folder.name}: has both ${first} and ${rival}; keep one of them in the folder`,
    );
  }
  return first;
}

function chooseTorchFile(folder: Folder, files: readonly string[]): string {
  const [first, rival] = files.filter((f) => /\.(?:pth|pt)$/i.test(f)).toSorted();
  if (first === undefined || files.some(isShard)) throw missing(folder, files);
  if (rival === undefined) return first;
  throw new CheckpointError(
    `${folder.name}: has both ${first} and ${rival}; keep one of them in the folder`,
  );
}

function missing(folder: Folder, files: readonly string[]): CheckpointError {
  const shards = files.filter(isShard);
  const looked =
    'diffusion_pytorch_model[.fp16].safetensors, model[.fp16].safetensors, *.safetensors.index.json and *.pth';
  if (shards.length > 0) {
    return new CheckpointError(
      `${folder.name}: has shards (${shards[0]}, …) but no *.safetensors.index.json; download the index too`,
    );
  }
  const pickled = files.find(isTorchFile);
  const hint = /^https?:/.test(folder.name)
    ? "; servers do not list their folders: an invsr-manifest.json in the model's, which names its files, would help (scripts/manifest.mjs writes it)"
    : '';
  return new CheckpointError(
    `${folder.name}: no weights; looked for ${looked}, ${files.length > 0 ? `found ${files.slice(0, 8).join(', ')}` : 'the folder is empty or does not exist'}${hint}` +
      (pickled
        ? `; ${pickled} may be a PyTorch checkpoint: \`invsr weights convert\` makes safetensors of it`
        : ''),
  );
}
