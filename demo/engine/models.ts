/** The models that the page offers, and how their files come here. */
import { CheckpointError, type Folder, memoryFolder } from '../../src/index.ts';

/** Of weights/invsr-nano; the build copies them, and they are read whole: 3.3 MB. */
export const NANO_FILES: readonly string[] = [
  'model_index.json',
  'noise_predictor/config.json',
  'noise_predictor/diffusion_pytorch_model.safetensors',
  'prompt_embeds.safetensors',
  'scheduler/scheduler_config.json',
  'unet/config.json',
  'unet/diffusion_pytorch_model.safetensors',
  'vae/config.json',
  'vae/diffusion_pytorch_model.safetensors',
];

/** Whole files need no server with byte ranges, and the service worker keeps them as they are. */
export async function nanoFolder(base: URL, signal?: AbortSignal): Promise<Folder> {
  const read = async (file: string): Promise<[string, Uint8Array<ArrayBuffer>]> => {
    const response = await fetch(new URL(file, base), signal ? { signal } : {});
    if (!response.ok) throw new CheckpointError(`${file}: HTTP ${response.status}`);
    return [file, new Uint8Array(await response.arrayBuffer())];
  };
  return memoryFolder('invsr-nano', new Map(await Promise.all(NANO_FILES.map(read))));
}
