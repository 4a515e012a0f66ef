/**
 * Synthetic weights and noise, bit for bit, from names and shapes alone.
 *
 * All is 32-bit integer arithmetic and exactly known roundings, so that Python, JavaScript and WGSL
 * agree (known answers: test/golden/data/kat_synth.json):
 *
 *   key(seed, name) = lowbias32(fnv1a32(name) ^ seed)
 *   h(i) = lowbias32((i · 0x9E3779B1 mod 2^32) ^ key)      i: flat row-major index
 *   k(i) = (h(i) >>> 8) - 2^23                             24 bits, symmetric about zero
 *   weight(i) = f16(f32(k · 2^-23 · a + offset))
 *
 * `amplitude` gives `a` and `offset` by the tensor's name, so that activations of a network with
 * such weights keep the magnitudes of a trained one. The numbers are noise: pictures made with them
 * show texture, not content.
 */
import { f16BitsToF32, f32ToF16Bits, toHalf } from './half.ts';

/** A seed per part of a model, and one for inputs. */
export const SEEDS = {
  unet: 0x5d7b0001,
  vae: 0x5d7b0002,
  noise_predictor: 0x5d7b0003,
  text_encoder: 0x5d7b0004,
  input: 0x5d7b00ff,
} as const;
export type SeededPart = Exclude<keyof typeof SEEDS, 'input'>;

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

export interface Amplitude {
  readonly a: number;
  readonly offset: 0 | 1;
}

/** Amplitude and offset of a weight by its name; the first matching rule applies. */
export function amplitude(name: string, shape: readonly number[]): Amplitude {
  const parts = name.split('.');
  const last = parts.at(-1);
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
export function weightAt(key: number, index: number, { a, offset }: Amplitude): number {
  const k = (streamHash(key, index) >>> 8) - 0x80_0000;
  return Math.fround(k * 2 ** -23 * a + offset);
}

/** Elements computed at once: their 128 KiB of f32 and f16 stay in the second-level cache. */
const BLOCK = 1 << 14;
const block = new Float32Array(BLOCK);

/** Elements [from, from + into.length) of a weight tensor as f16 bits. */
export function fillWeight(
  into: Uint16Array,
  {
    key,
    rule,
    from = 0,
  }: { readonly key: number; readonly rule: Amplitude; readonly from?: number },
): void {
  // k · 2^-23 and a are f32 numbers: their product is rounded once, on the way into the block.
  const scale = rule.a * 2 ** -23;
  const { offset } = rule;
  for (let start = 0; start < into.length; start += BLOCK) {
    const count = Math.min(BLOCK, into.length - start);
    let counter = Math.imul(from + start, 0x9e3779b1);
    for (let i = 0; i < count; i++) {
      let x = counter ^ key;
      x ^= x >>> 16;
      x = Math.imul(x, 0x7feb352d);
      x ^= x >>> 15;
      x = Math.imul(x, 0x846ca68b);
      x ^= x >>> 16;
      block[i] = ((x >>> 8) - 0x80_0000) * scale + offset;
      counter = (counter + 0x9e3779b1) | 0;
    }
    into.set(toHalf(count === BLOCK ? block : block.subarray(0, count)), start);
  }
}

/** The key of a weight's stream and its amplitude. */
export const weightStream = (
  part: SeededPart,
  name: string,
  shape: readonly number[],
): { readonly key: number; readonly rule: Amplitude } => ({
  key: streamKey(SEEDS[part], name),
  rule: amplitude(name, shape),
});

/** f16 bits of a whole weight tensor. */
export function syntheticWeight(
  part: SeededPart,
  name: string,
  shape: readonly number[],
): Uint16Array<ArrayBuffer> {
  const bits = new Uint16Array(shape.reduce((n, d) => n * d, 1));
  fillWeight(bits, weightStream(part, name, shape));
  return bits;
}

/** Noise: sums of four uniforms, variance 1, f16 values. */
export function pseudoNormal(name: string, length: number): Float32Array<ArrayBuffer> {
  const keys = [0, 1, 2, 3].map((j) => streamKey(SEEDS.input, `${name}#${j}`));
  return Float32Array.from({ length }, (_, i) => {
    const sum = keys.reduce((s, key) => s + (streamHash(key, i) >>> 8) * 2 ** -24, 0);
    return f16BitsToF32(f32ToF16Bits((sum - 2) * 1.7320508075688772));
  });
}
