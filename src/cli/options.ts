/** Option values: parsers that refuse with one sentence, shared by the commands. */
import { InvalidArgumentError, Option } from 'commander';
import { TIMESTEPS } from '../invsr/scheduler.ts';

export const integer =
  (low: number, high = Number.MAX_SAFE_INTEGER, hint = '') =>
  (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < low || value > high) {
      const range =
        high === Number.MAX_SAFE_INTEGER ? `of at least ${low}` : `from ${low} to ${high}`;
      throw new InvalidArgumentError(`expected a whole number ${range}${hint}.`);
    }
    return value;
  };

export const number =
  (low: number, high: number) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= low && value <= high)) {
      throw new InvalidArgumentError(`expected a number from ${low} to ${high}.`);
    }
    return value;
  };

/** `250,150,50`: strictly descending, each from 1 to 1000. */
export function timestepList(text: string): number[] {
  const values = text.split(',').map((part) => (/^\d+$/.test(part.trim()) ? Number(part) : NaN));
  const descending = values.every((v, i) => i === 0 || v < (values[i - 1] ?? 0));
  if (!descending || values.some((v) => !(v >= 1 && v <= 1000))) {
    throw new InvalidArgumentError(
      'expected a descending list from 1000 to 1, such as 250,150,50.',
    );
  }
  return values;
}

const UNITS: Readonly<Record<string, number>> = {
  MB: 1e6,
  GB: 1e9,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

/** `4GB`, `1.9 GB`, `512MiB` → bytes. */
export function byteSize(text: string): number {
  const [, digits = '', unit = ''] = /^([\d.]+) ?([MG]i?B)$/.exec(text) ?? [];
  const bytes = Number(digits) * (UNITS[unit] ?? Number.NaN);
  if (!(bytes > 0)) {
    throw new InvalidArgumentError(
      `expected a size with one of the units ${Object.keys(UNITS).join(', ')}, such as 4GB.`,
    );
  }
  return Math.floor(bytes);
}

/** Tiles give latents of half their side, which the UNet likes divisible. */
export function tileSize(text: string): number {
  const value = integer(16, 1024)(text);
  if (value % 16 !== 0) throw new InvalidArgumentError('expected a multiple of 16, such as 128.');
  return value;
}

/** Bits per channel. */
export function depth(text: string): 8 | 16 | 'auto' {
  if (text === '8') return 8;
  if (text === '16') return 16;
  if (text === 'auto') return text;
  throw new InvalidArgumentError('expected 8, 16 or auto.');
}

export const MAX_STEPS = Math.max(...Object.keys(TIMESTEPS).map(Number));

export const choice = (
  flags: string,
  text: string,
  values: readonly string[],
  fallback: string,
): Option => new Option(flags, text).choices(values).default(fallback);
