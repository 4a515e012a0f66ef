/**
 * Before every test file: toEqual compares typed arrays as bytes. Key by key, as it does by itself, a picture of
 * 512x512 pixels takes three seconds. Bytes that differ are compared as ever, and told.
 */
import { expect } from 'vitest';

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);

expect.addEqualityTesters([
  (a: unknown, b: unknown) => {
    if (!ArrayBuffer.isView(a) || !ArrayBuffer.isView(b)) return undefined;
    if (a.constructor !== b.constructor || a instanceof DataView) return undefined;
    return bytesOf(a).equals(bytesOf(b)) ? true : undefined;
  },
]);
