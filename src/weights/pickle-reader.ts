/** Operands of a pickle's opcodes, read one after another: little-endian, but for floats. */
import type { Fail } from './safetensors-header.ts';

/** torch.save's own largest integer, the mark of its legacy files, has 10. */
const MAX_INTEGER_BYTES = 255;

/** The bytes end before the operand does. */
export class EndOfBytes extends Error {}

export type Reader = ReturnType<typeof readerOf>;

/** Reads from byte `start` on; `fail` where an operand is none that can be taken. */
export function readerOf(bytes: Uint8Array, start: number, fail: Fail) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let at = start;
  /** Steps over `count` bytes and tells where they began. */
  const take = (count: number): number => {
    if (!(count <= bytes.length - at)) throw new EndOfBytes();
    at += count;
    return at - count;
  };
  const text = (count: number): string => {
    const from = take(count);
    try {
      return utf8.decode(bytes.subarray(from, at));
    } catch {
      return fail(`its pickle has text at byte ${from} that is not UTF-8`);
    }
  };
  return {
    position: () => at,
    skip: (count: number): void => void take(count),
    u8: () => view.getUint8(take(1)),
    u16: () => view.getUint16(take(2), true),
    u32: () => view.getUint32(take(4), true),
    i32: () => view.getInt32(take(4), true),
    u64: () => Number(view.getBigUint64(take(8), true)),
    f64: () => view.getFloat64(take(8)), // the one big-endian number of the format
    text,
    /** Two's complement, little-endian. */
    integer: (count: number): number | bigint => {
      if (count > MAX_INTEGER_BYTES) return fail(`its pickle has an integer of ${count} bytes`);
      const from = take(count);
      let value = 0n;
      for (let i = at - 1; i >= from; i--) value = (value << 8n) | BigInt(view.getUint8(i));
      const signed = BigInt.asIntN(8 * count, value);
      const small = Number(signed);
      return Number.isSafeInteger(small) ? small : signed;
    },
    /** Up to the next newline, which is not part of it. */
    line: (): string => {
      const end = bytes.indexOf(0x0a, at);
      if (end < 0) throw new EndOfBytes();
      const value = text(end - at);
      at = end + 1;
      return value;
    },
  };
}
