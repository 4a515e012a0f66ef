/** The goldens' tiny model: configs and names as stored, weights by the rule of weights/synthetic.ts. */
import { readFileSync } from 'node:fs';
import type { Tensors } from '../../src/invsr/model.ts';
import { type Folder, memoryFolder } from '../../src/weights/folder.ts';
import { f16BitsToF32, f32ToF16Bits } from '../../src/weights/half.ts';
import {
  concatBytes,
  safetensorsParts,
  type TensorData,
} from '../../src/weights/safetensors-write.ts';
import { syntheticWeight } from '../../src/weights/synthetic.ts';
import { goldenPath } from './goldens.ts';

export const TINY_PARTS = ['unet', 'vae', 'noise_predictor'] as const;
export type TinyPart = (typeof TINY_PARTS)[number];

export const tinyShapes = (part: TinyPart | 'text_encoder'): Readonly<Record<string, number[]>> =>
  JSON.parse(readFileSync(goldenPath(`tiny/${part}.keys.json`), 'utf8')) as Record<
    string,
    number[]
  >;

/** Changes a weight, given its f16 bits; `name` begins with the part: `vae.decoder.conv_in.weight`. */
export type EditWeight = (name: string, bits: Uint16Array) => void;

/** Makes what a layer computes larger. */
export const scaled =
  (weight: string, factor: number): EditWeight =>
  (name, bits) => {
    if (name !== weight) return;
    for (const [i, b] of bits.entries()) bits[i] = f32ToF16Bits(f16BitsToF32(b) * factor);
  };

/** One element is NaN. */
export const damaged =
  (weight: string): EditWeight =>
  (name, bits) => {
    if (name === weight) bits[5] = 0x7e00;
  };

/** A tiny network's weights as a safetensors file. */
export function tinySafetensors(
  part: TinyPart | 'text_encoder',
  edit?: EditWeight,
): Uint8Array<ArrayBuffer> {
  const tensors = Object.entries(tinyShapes(part)).map(([name, shape]): [string, TensorData] => {
    const bits = syntheticWeight(part, name, shape);
    edit?.(`${part}.${name}`, bits);
    return [name, { dtype: 'F16', shape, bytes: new Uint8Array(bits.buffer) }];
  });
  return concatBytes(safetensorsParts(new Map(tensors), { format: 'pt' }));
}

/** The whole tiny model in Hugging Face layout; made in a second, kept for the process. */
let tiny: Folder | undefined;

export const tinyModel = (): Folder => (tiny ??= tinyModelWith());

/** A tiny model of its own with other weights. */
export const tinyModelWith = (edit?: EditWeight): Folder => memoryFolder('tiny', tinyFiles(edit));

/** Its files by path. */
export function tinyFiles(edit?: EditWeight): Map<string, Uint8Array<ArrayBuffer>> {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  const text = (file: string) =>
    files.set(file, new Uint8Array(readFileSync(goldenPath(`tiny/${file}`))));
  text('model_index.json');
  text('scheduler/scheduler_config.json');
  for (const part of TINY_PARTS) {
    text(`${part}/config.json`);
    files.set(`${part}/diffusion_pytorch_model.fp16.safetensors`, tinySafetensors(part, edit));
  }
  return files;
}

/** The tiny text encoder alone, and what else a model folder has beside it. */
export const tinyTextEncoder = (
  others: Readonly<Record<string, Uint8Array<ArrayBuffer>>> = {},
): Folder => memoryFolder('tiny', new Map(Object.entries({ ...textEncoderFiles(), ...others })));

/** Its files by path. */
export const textEncoderFiles = (): Readonly<Record<string, Uint8Array<ArrayBuffer>>> =>
  (encoder ??= {
    'text_encoder/config.json': new Uint8Array(
      readFileSync(goldenPath('tiny/text_encoder/config.json')),
    ),
    'text_encoder/model.fp16.safetensors': tinySafetensors('text_encoder'),
  });
let encoder: Record<string, Uint8Array<ArrayBuffer>> | undefined;

/** Stands in for the prompt where only single networks are run. */
export const anyPrompt: Tensors = new Map([
  [
    'prompt_embeds',
    { name: 'prompt_embeds', dtype: 'F32', shape: [1, 77, 64], bytes: new Uint8Array(4 * 77 * 64) },
  ],
]);
