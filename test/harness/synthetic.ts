/**
 * The goldens' synthetic weights and noise, bit for bit, from names and shapes alone.
 *
 * All is 32-bit integer arithmetic and one rounding, so that Python, JavaScript and WGSL agree:
 *
 *   key(seed, name) = lowbias32(fnv1a32(name) ^ seed)
 *   h(i) = lowbias32((i · 0x9E3779B1 mod 2^32) ^ key)      i: flat row-major index
 *   k(i) = (h(i) >>> 8) - 2^23
 *   weight(i) = f16(f32(k · 2^-23 · a + offset))
 *
 * `scale` gives `a` and `offset` by the tensor's name. test/unit/synthetic.test.ts has the known
 * answers.
 */
import { readFileSync } from 'node:fs';
import type { Tensors } from '../../src/invsr/model.ts';
import { type Folder, memoryFolder } from '../../src/weights/folder.ts';
import { f16BitsToF32, f32ToF16Bits } from '../../src/weights/half.ts';
import {
  concatBytes,
  safetensorsParts,
  type TensorData,
} from '../../src/weights/safetensors-write.ts';
import { goldenPath } from './goldens.ts';

export const SEEDS = {
  unet: 0x5d7b0001,
  vae: 0x5d7b0002,
  noise_predictor: 0x5d7b0003,
  text_encoder: 0x5d7b0004,
  input: 0x5d7b00ff,
} as const;
export type Component = keyof typeof SEEDS;

export function fnv1a32(text: string): number {
  let h = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) h = Math.imul(h ^ byte, 0x01000193);
  return h >>> 0;
}

export function lowbias32(value: number): number {
  let x = value;
  x ^= x >>> 16;
  x = Math.imul(x, 0x7feb352d);
  x ^= x >>> 15;
  x = Math.imul(x, 0x846ca68b);
  x ^= x >>> 16;
  return x >>> 0;
}

export const streamKey = (seed: number, name: string): number => lowbias32(fnv1a32(name) ^ seed);
export const streamHash = (key: number, index: number): number =>
  lowbias32(Math.imul(index, 0x9e3779b1) ^ key);

/** Amplitude and offset of a weight by its name; the first matching rule applies. */
export function scale(name: string, shape: readonly number[]): { a: number; offset: 0 | 1 } {
  const parts = name.split('.');
  const last = parts.at(-1)!;
  const module = parts.at(-2) ?? '';
  if (shape.length === 1) {
    if (last === 'weight') return { a: 0.125, offset: 1 };
    return { a: module.includes('norm') ? 0.125 : 0.0625, offset: 0 };
  }
  if (module === 'token_embedding' || module === 'position_embedding') return { a: 0.5, offset: 0 };
  const fanIn = shape.slice(1).reduce((n, d) => n * d, 1);
  return { a: Math.fround(Math.sqrt(3 / fanIn) * gain(parts, module)), offset: 0 };
}

function gain(parts: readonly string[], module: string): number {
  if (['to_q', 'to_k', 'q_proj', 'k_proj'].includes(module)) return 1.75;
  if (parts.includes('time_embedding')) return 2;
  if (['time_emb_proj', 'out_proj'].includes(module)) return 0.5;
  if (['conv1', 'conv2'].includes(module)) return 1.5;
  return 1;
}

/** One weight before the rounding to f16. */
export function weightAt(key: number, index: number, { a, offset }: ReturnType<typeof scale>) {
  const k = (streamHash(key, index) >>> 8) - 0x80_0000;
  return Math.fround(k * 2 ** -23 * a + offset);
}

/** f16 bits of a weight tensor. */
export function syntheticWeight(
  component: Component,
  name: string,
  shape: readonly number[],
): Uint16Array<ArrayBuffer> {
  const key = streamKey(SEEDS[component], name);
  const rule = scale(name, shape);
  const bits = new Uint16Array(shape.reduce((n, d) => n * d, 1));
  for (let i = 0; i < bits.length; i++) bits[i] = f32ToF16Bits(weightAt(key, i, rule));
  return bits;
}

/** The noise of the goldens: sums of four uniforms, variance 1, f16 values. `C.call0.draw0` etc. */
export function pseudoNormal(name: string, length: number): Float32Array {
  const keys = [0, 1, 2, 3].map((j) => streamKey(SEEDS.input, `${name}#${j}`));
  return Float32Array.from({ length }, (_, i) => {
    const sum = keys.reduce((s, key) => s + (streamHash(key, i) >>> 8) * 2 ** -24, 0);
    return f16BitsToF32(f32ToF16Bits((sum - 2) * 1.7320508075688772));
  });
}

export const TINY_PARTS = ['unet', 'vae', 'noise_predictor'] as const;
export type TinyPart = (typeof TINY_PARTS)[number];

export const tinyShapes = (part: TinyPart): Readonly<Record<string, number[]>> =>
  JSON.parse(readFileSync(goldenPath(`tiny/${part}.keys.json`), 'utf8')) as Record<
    string,
    number[]
  >;

/** A tiny network's weights as a safetensors file. */
export function tinySafetensors(part: TinyPart): Uint8Array<ArrayBuffer> {
  const tensors = Object.entries(tinyShapes(part)).map(([name, shape]): [string, TensorData] => [
    name,
    { dtype: 'F16', shape, bytes: new Uint8Array(syntheticWeight(part, name, shape).buffer) },
  ]);
  return concatBytes(safetensorsParts(new Map(tensors), { format: 'pt' }));
}

/** The whole tiny model in Hugging Face layout; made in a second, kept for the process. */
let tiny: Folder | undefined;

export function tinyModel(): Folder {
  if (tiny) return tiny;
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  const text = (file: string) =>
    files.set(file, new Uint8Array(readFileSync(goldenPath(`tiny/${file}`))));
  text('model_index.json');
  text('scheduler/scheduler_config.json');
  for (const part of TINY_PARTS) {
    text(`${part}/config.json`);
    files.set(`${part}/diffusion_pytorch_model.fp16.safetensors`, tinySafetensors(part));
  }
  tiny = memoryFolder('tiny', files);
  return tiny;
}

/** Stands in for the prompt where only single networks are run. */
export const anyPrompt: Tensors = new Map([
  [
    'prompt_embeds',
    { name: 'prompt_embeds', dtype: 'F32', shape: [1, 77, 64], bytes: new Uint8Array(4 * 77 * 64) },
  ],
]);
