/** What the names of checkpoint files say. */

// `x.safetensors.index.json`, and with a variant in any of the places it has been put:
// `x.safetensors.index.fp16.json`, `x.fp16.safetensors.index.json`.
export const isIndex = (file: string): boolean => /\.index\.(?:\w+\.)?json$/.test(file);
export const isShard = (file: string): boolean => /-\d{5}-of-\d{5}\.safetensors$/.test(file);
/** Endings of files that torch.save may have written; .bin and .ckpt are used for others too. */
export const isTorchFile = (file: string): boolean => /\.(?:pth|pt|bin|ckpt)$/i.test(file);
/** What a folder has one of, mostly: all its weights in one file, or an index of them. */
export const isCandidate = (file: string): boolean =>
  isIndex(file) || (file.endsWith('.safetensors') && !isShard(file));
