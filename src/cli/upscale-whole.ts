/** One picture through the GPU frame, whole in memory: for parity with the official code. */
import sharp from 'sharp';
import type { ImageSize } from '../engine/gpu-image.ts';
import type { Tensors } from '../invsr/model.ts';
import type { Dump } from '../invsr/parity.ts';
import { SCALE } from '../invsr/tile-graph.ts';
import { upscalePixels } from '../invsr/upscale-pixels.ts';
import type { UpscaleProgress } from '../invsr/upscale-settings.ts';
import { safetensorsParts, type TensorData } from '../weights/safetensors-write.ts';
import { readPicture } from './image-file.ts';
import { expectStorable, resizeAlpha, writeBeforeAfter, writePicture } from './image-output.ts';
import type { Job } from './inputs.ts';
import type { Session } from './session.ts';
import { writeWhole } from './whole-file.ts';

export interface WholeOptions {
  readonly session: () => Promise<Session>;
  readonly seed: number;
  readonly noise?: Tensors | undefined;
  /** Where the tensors of every stage go. */
  readonly dump?: string | undefined;
  readonly beforeAfter?: string | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: UpscaleProgress) => void;
}

export interface WholeResult extends ImageSize {
  readonly milliseconds: Readonly<Record<string, number>>;
  /** Of the dump. */
  readonly tensors: number;
}

export async function upscaleWhole(
  { input, output }: Job,
  options: WholeOptions,
): Promise<WholeResult> {
  const { seed, noise, signal, onProgress } = options;
  const started = performance.now();
  const picture = await readPicture(input);
  expectStorable(output, { width: picture.width * SCALE, height: picture.height * SCALE });
  signal.throwIfAborted();
  const { networks, options: fixed } = await options.session();
  const read = performance.now() - started;
  const dump: Dump | undefined = options.dump === undefined ? undefined : new Map();
  const result = await upscalePixels(networks, picture, {
    ...fixed,
    seed,
    noise,
    dump,
    signal,
    onProgress,
  });
  signal.throwIfAborted();
  const { width, height, pixels } = result;
  const writing = performance.now();
  const alpha = picture.alpha && (await resizeAlpha(picture.alpha, picture, result));
  if (dump && options.dump !== undefined) await writeDump(options.dump, dump);
  if (options.beforeAfter !== undefined) {
    const [before, after] = [picture, result].map((p) =>
      sharp(p.pixels, { raw: { width: p.width, height: p.height, channels: 4 } }),
    );
    if (before && after) await writeBeforeAfter(options.beforeAfter, before, after, result);
  }
  await writePicture(output, { width, height, pixels, alpha });
  const now = performance.now();
  const milliseconds = {
    read: Math.round(read),
    ...result.milliseconds,
    write: Math.round(now - writing),
    total: Math.round(now - started),
  };
  return { width, height, milliseconds, tensors: dump?.size ?? 0 };
}

async function writeDump(file: string, dump: Dump): Promise<void> {
  const tensors = [...dump].map(([name, { shape, data }]): [string, TensorData] => [
    name,
    { dtype: 'F32', shape, bytes: new Uint8Array(data.slice().buffer) },
  ]);
  await writeWhole(file, safetensorsParts(new Map(tensors)));
}
