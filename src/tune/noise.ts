/**
 * Random values of any tensor without ever holding it whole: a block of normal noise, repeated, of
 * which host references take slices and the device the bytes.
 */
import { byteLength, type TensorType } from '../engine/kernel.ts';
import type { Buffers } from '../invsr/buffers.ts';
import { toHalf, toSingle } from '../weights/half.ts';

/** 4 times a prime: whole words in f16, and no row of a tensor repeats the one before. */
const BLOCK = 4 * 16_381;
/** Blocks per write, so that large tensors do not take thousands. */
const REPEATS = 16;

export interface Noise {
  readonly type: TensorType;
  /** Values from `offset` on, as stored. */
  slice(offset: number, length: number): Float32Array<ArrayBuffer>;
  /** Fills the buffer called `name`. */
  write(buffers: Buffers, name: string): Promise<void>;
}

export interface Distribution {
  readonly mean?: number;
  readonly std?: number;
}

/** Different seeds, different values; the same seed, the same. */
export function noiseOf(type: TensorType, seed: number, distribution: Distribution = {}): Noise {
  if (type.dtype === 'u32') throw new Error('noise is of floating-point numbers');
  const block = once(() => {
    const exact = normal(BLOCK, seed, distribution);
    const half = type.dtype === 'f16' ? toHalf(exact) : undefined;
    return {
      values: half ? toSingle(half) : exact,
      bytes: new Uint8Array((half ?? exact).buffer),
    };
  });
  return {
    type,
    slice: (offset, length) => {
      const { values } = block();
      return Float32Array.from({ length }, (_, i) => values[(offset + i) % BLOCK] ?? 0);
    },
    async write(buffers, name) {
      const { bytes } = block();
      const total = byteLength(type);
      await buffers.create(name, total);
      const whole = Math.ceil(total / bytes.length) * bytes.length;
      const repeated = new Uint8Array(Math.min(REPEATS * bytes.length, whole));
      for (let at = 0; at < repeated.length; at += bytes.length) repeated.set(bytes, at);
      for (let at = 0; at < total; at += repeated.length) {
        await buffers.write(name, repeated.subarray(0, Math.min(repeated.length, total - at)), at);
      }
    },
  };
}

/** Made when it is first asked for. */
export function once<T extends object>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

/** Seeded uniform numbers in [0, 1): xorshift32. */
export function uniform(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0 || 1;
  const next = (): number => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
  // The first states of neighbouring seeds are alike.
  for (let i = 0; i < 8; i++) next();
  return next;
}

/** Box–Muller. */
function normal(length: number, seed: number, { mean = 0, std = 1 }: Distribution) {
  const next = uniform(seed);
  return Float32Array.from({ length }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - next()));
    return mean + std * radius * Math.cos(2 * Math.PI * next());
  });
}
