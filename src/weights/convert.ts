/**
 * A checkpoint of any kind → one safetensors file, as a stream: the header first, since names, types
 * and shapes are known, then tensor by tensor in pieces of 16 MiB. Nothing larger is ever held.
 */
import { cast, castType, type CastTarget } from './cast.ts';
import type { Checkpoint } from './checkpoint.ts';
import { CheckpointError } from './error.ts';
import { printable } from './printable.ts';
import { DTYPE_BITS } from './safetensors-header.ts';
import { safetensorsHeader } from './safetensors-write.ts';
import { chunksOf, expectReadable } from './tensor-reads.ts';

export interface Conversion {
  /** Of the whole file. */
  readonly bytes: number;
  /**
   * The file's pieces in order. CheckpointError: the checkpoint cannot be read, or a value is beyond
   * the new type.
   */
  content(signal?: AbortSignal): AsyncGenerator<Uint8Array<ArrayBuffer>>;
}

/** Floats become `target`, or stay as they are without one; integers stay. */
export function convertCheckpoint(checkpoint: Checkpoint, target?: CastTarget): Conversion {
  if (checkpoint.tensors.has('__metadata__')) {
    throw new CheckpointError(
      `${checkpoint.name}: has a tensor named __metadata__, which safetensors keep for themselves`,
    );
  }
  const tensors = new Map(
    [...checkpoint.tensors].map(([name, { dtype, shape }]) => [
      name,
      { dtype: castType(dtype, target), shape },
    ]),
  );
  const header = safetensorsHeader(tensors, { format: 'pt' });
  const data = [...tensors.values()].reduce(
    (sum, { dtype, shape }) => sum + shape.reduce((n, d) => n * d, DTYPE_BITS[dtype]) / 8,
    0,
  );
  return {
    bytes: header.bytes.length + data,
    async *content(signal) {
      yield header.bytes;
      for (const name of header.names) {
        const tensor = checkpoint.tensors.get(name);
        if (!tensor) continue;
        expectReadable(checkpoint.name, name, tensor);
        for await (const chunk of chunksOf(tensor, signal)) {
          signal?.throwIfAborted();
          const { bytes, beyond } = cast(chunk, tensor.dtype, target);
          if (beyond !== undefined) {
            throw new CheckpointError(
              `${checkpoint.name}: ${printable(name)} has the value ${beyond}, more than ${target} can hold; convert it to f32, or keep its types`,
            );
          }
          yield bytes;
        }
      }
    },
  };
}
