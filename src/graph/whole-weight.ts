/**
 * A weight read as a whole, its parts (weight-parts.ts) put in order in the kernels' layout: what loads do where
 * its rows cannot be read from their places, or may not be f16. Few models call for it.
 */
import type { PlanWeight } from '../engine/plan.ts';
import { columnsOf } from './weight-parts.ts';
import type { WeightSource } from './weight-source.ts';

/** All of a weight in the kernels' layout. */
export async function readWhole(
  source: WeightSource,
  weight: PlanWeight,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const { parts, paired, ...plain } = weight;
  if (!parts && !paired) return source.readWeight(weight, signal);
  const { dtype, shape } = weight.type;
  const lead = shape.slice(0, -1);
  const read = (parts ?? [{ key: weight.key, columns: columnsOf(weight) }]).map(
    async ({ key, columns }) => {
      const type = { dtype, shape: [...lead, columns] };
      return { columns, bytes: await source.readWeight({ ...plain, key, type }, signal) };
    },
  );
  const joined = joinColumns(await Promise.all(read), dtype === 'f16' ? 2 : 4);
  return paired ? pairColumns(joined, columnsOf(weight), dtype === 'f16' ? 2 : 4) : joined;
}

/** Matrices [K, N_i] → [K, ΣN_i]. */
function joinColumns(
  parts: readonly { readonly columns: number; readonly bytes: Uint8Array }[],
  elementBytes: number,
): Uint8Array<ArrayBuffer> {
  const row = parts.reduce((sum, { columns }) => sum + columns * elementBytes, 0);
  const size = parts.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const result = new Uint8Array(size);
  let offset = 0;
  for (const { columns, bytes } of parts) {
    const length = columns * elementBytes;
    for (let k = 0; k * row < size; k++) {
      result.set(bytes.subarray(k * length, (k + 1) * length), k * row + offset);
    }
    offset += length;
  }
  return result;
}

/** The columns of both halves in turn, two by two. */
function pairColumns(
  matrix: Uint8Array,
  columns: number,
  elementBytes: number,
): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(matrix.length);
  const row = columns * elementBytes;
  const pair = 2 * elementBytes;
  for (let start = 0; start < matrix.length; start += row) {
    for (let at = 0; at < row; at += pair) {
      const from = start + Math.floor(at / (2 * pair)) * pair + ((at / pair) % 2) * (row / 2);
      result.set(matrix.subarray(from, from + pair), start + at);
    }
  }
  return result;
}
