/**
 * Weights put together from a checkpoint's tensors, so that one product does the work of several.
 *
 *   parts    tensors of one [*, K], their rows one after another: [ΣN, K]
 *   paired   the rows of both halves in turn, two by two: v0 v1 g0 g1 v2 v3 g2 g3 …
 *
 * Rows of the checkpoint are columns of the kernels' matrix. Loads see one tensor whose rows lie in
 * several places (`placeOf`); where they cannot (types differ, nothing to read from), the parts are
 * read in the kernels' layout and their columns put in order there (whole-weight.ts).
 */
import type { PlanWeight } from '../engine/plan.ts';
import { allDone } from '../weights/all-done.ts';
import type { WeightPlace, WeightSource } from './weight-source.ts';

/** The tensors of the checkpoint that a weight is made of. */
export const keysOf = ({ key, parts }: PlanWeight): readonly string[] =>
  parts?.map((part) => part.key) ?? [key];

/** One tensor of the rows of several. */
export function stacked(weights: readonly [PlanWeight, ...PlanWeight[]]): PlanWeight {
  const [{ layout, type }] = weights;
  const parts = weights.map((weight) => ({ key: weight.key, columns: columnsOf(weight) }));
  const columns = parts.reduce((sum, part) => sum + part.columns, 0);
  return {
    key: parts.map(({ key }) => key).join(' + '),
    layout,
    type: { dtype: type.dtype, shape: [...type.shape.slice(0, -1), columns] },
    parts,
  };
}

export const columnsOf = ({ type }: PlanWeight): number => type.shape.at(-1) ?? 0;

/** Where the checkpoint has a weight; undefined where only whole-weight.ts will do. */
export function placeOf(source: WeightSource, weight: PlanWeight): WeightPlace | undefined {
  const places = keysOf(weight).map((key) => source.placeOf?.({ ...weight, key }));
  const [first] = places;
  if (!first || (!weight.parts && !weight.paired)) return first;
  const found = places.filter((place) => place !== undefined);
  const rows = found.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
  const inner = first.shape.slice(1).join();
  const isAlike = found.every(
    ({ dtype, shape }) => dtype === first.dtype && shape.slice(1).join() === inner,
  );
  // Rows that the kernels' layout pads would not lie one after another in it.
  if (found.length < places.length || !isAlike || rows !== columnsOf(weight)) return undefined;
  const place = found.length === 1 ? first : stackedPlace(found, rows);
  return weight.paired ? pairedPlace(place) : place;
}

function stackedPlace(places: readonly WeightPlace[], rows: number): WeightPlace {
  const [first] = places;
  if (!first) throw new Error('a weight without parts');
  return {
    dtype: first.dtype,
    shape: [rows, ...first.shape.slice(1)],
    bytes: places.reduce((sum, { bytes }) => sum + bytes, 0),
    order: first.order,
    async read(begin, target, signal) {
      const reads: Promise<void>[] = [];
      let start = 0;
      for (const place of places) {
        const from = Math.max(begin, start);
        const end = Math.min(begin + target.length, start + place.bytes);
        const piece = target.subarray(from - begin, Math.max(from, end) - begin);
        if (piece.length > 0) reads.push(place.read(from - start, piece, signal));
        start += place.bytes;
      }
      await allDone(reads);
    },
  };
}

function pairedPlace(place: WeightPlace): WeightPlace {
  const half = place.bytes / 2;
  const pair = (2 * place.bytes) / (place.shape[0] ?? 1);
  return {
    ...place,
    async read(begin, target, signal) {
      const first = Math.floor(begin / (2 * pair)); // of the pairs of each half
      const count = Math.ceil((begin + target.length) / (2 * pair)) - first;
      const read = async (start: number): Promise<Uint8Array<ArrayBuffer>> => {
        const bytes = new Uint8Array(count * pair);
        await place.read(start + first * pair, bytes, signal);
        return bytes;
      };
      const halves = await allDone([read(0), read(half)]);
      for (let i = 0; i < 2 * count; i++) {
        const at = (2 * first + i) * pair - begin;
        const from = Math.floor(i / 2) * pair;
        const [skipped, end] = [Math.max(0, -at), Math.min(pair, target.length - at)];
        if (skipped >= end) continue;
        const bytes = halves[i % 2]?.subarray(from + skipped, from + end) ?? [];
        target.set(bytes, at + skipped);
      }
    },
  };
}
