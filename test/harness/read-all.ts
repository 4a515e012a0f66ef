/** A tensor of a checkpoint whole, of any type. */
import type { StoredTensor } from '../../src/weights/pth.ts';
import { chunksOf } from '../../src/weights/tensor-reads.ts';

/** Its bytes, little-endian, aligned to 8. */
export async function readAll(tensor: StoredTensor): Promise<Uint8Array<ArrayBuffer>> {
  const whole = new Uint8Array(tensor.bytes);
  let at = 0;
  for await (const chunk of chunksOf(tensor)) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
