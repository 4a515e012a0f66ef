/** Files written as torch.save writes them, read back by the reader of genuine ones and by zip's rules. */
import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { SIZES } from '../../src/invsr/synthetic-configs.ts';
import { torchWeights, weightKeys } from '../../src/invsr/synthetic-model.ts';
import { toSingle } from '../../src/weights/half.ts';
import { readTorch } from '../../src/weights/pth.ts';
import { torchFile } from '../../src/weights/pth-write.ts';
import { concatBytes } from '../../src/weights/safetensors-write.ts';
import { bytesSource } from '../../src/weights/source.ts';
import { syntheticWeight } from '../../src/weights/synthetic.ts';

const wholeOf = ({ bytes, content }: { bytes: number; content: () => Iterable<Uint8Array> }) => {
  const whole = concatBytes(Array.from(content(), (piece) => piece.slice()));
  expect(whole.length).toBe(bytes);
  return whole;
};

test('the tiny noise predictor comes back with every name, shape and bit', async () => {
  const keys = weightKeys('noise_predictor', SIZES.tiny);
  const bytes = wholeOf(torchWeights('x.pth', 'noise_predictor', keys));
  const read = await readTorch(bytesSource('x.pth', bytes));
  expect(Object.fromEntries([...read].map(([name, { shape }]) => [name, shape]))).toEqual(keys);
  for (const [name, tensor] of read) {
    expect(tensor.dtype).toBe('F32');
    const values = new Float32Array((await tensor.part(0, tensor.bytes)).slice().buffer);
    expect(values, name).toEqual(toSingle(syntheticWeight('noise_predictor', name, tensor.shape)));
  }
});

test("zip's checksums, and PyTorch's alignment of the data", () => {
  const data = Float32Array.of(1, -2, 3, 0.5, 7, 8);
  const bytes = wholeOf(
    torchFile(
      new Map([
        ['a', { shape: [2, 3], read: () => data }],
        ['a.longer.name', { shape: [], read: () => Float32Array.of(4) }],
      ]),
    ),
  );
  const view = new DataView(bytes.buffer);
  const u16 = (at: number) => view.getUint16(at, true);
  const u32 = (at: number) => view.getUint32(at, true);
  const end = bytes.length - 22;
  expect(u32(end)).toBe(0x06054b50);
  const names: string[] = [];
  let at = u32(end + 16);
  for (let i = 0; i < u16(end + 10); i++) {
    expect(u32(at)).toBe(0x02014b50);
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + u16(at + 28)));
    const local = u32(at + 42);
    const start = local + 30 + u16(local + 26) + u16(local + 28);
    expect(start % 64, name).toBe(0);
    const content = bytes.subarray(start, start + u32(at + 20));
    expect([u32(at + 16), u32(local + 14)], name).toEqual([crc32(content), crc32(content)]);
    names.push(name);
    at += 46 + u16(at + 28);
  }
  expect(names).toEqual([
    'archive/data.pkl',
    'archive/data/0',
    'archive/data/1',
    'archive/version',
  ]);
});
