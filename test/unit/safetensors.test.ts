import { describe, expect, test } from 'vitest';
import { readHeader, stored } from '../../src/weights/safetensors.ts';
import { chunksOf, readTensor } from '../../src/weights/tensor-reads.ts';
import {
  concatBytes,
  safetensorsParts,
  type TensorData,
} from '../../src/weights/safetensors-write.ts';
import { bytesSource } from '../../src/weights/source.ts';
import { goldenPath, openGolden } from '../harness/goldens.ts';
import { fileSource } from '../../src/weights/node-file.ts';

/** A file from header text (or bytes) and data, whatever they say. */
function fileOf(header: string | Uint8Array, data = 0, length?: number): Uint8Array<ArrayBuffer> {
  const text = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const size = new Uint8Array(8);
  new DataView(size.buffer).setBigUint64(0, BigInt(length ?? text.length), true);
  return concatBytes([size, text, new Uint8Array(data)]);
}
const open = (bytes: Uint8Array<ArrayBuffer>) => readHeader(bytesSource('x.safetensors', bytes));
const entry = (dtype: string, shape: unknown, offsets: unknown, extra = '') =>
  `{"dtype":"${dtype}","shape":${JSON.stringify(shape)},"data_offsets":${JSON.stringify(offsets)}${extra}}`;
const good = entry('F32', [2], [0, 8]);

describe('a header is refused, naming file and fault', () => {
  const latin1 = new TextEncoder().encode(`{"a":${good}}`);
  latin1[2] = 0xe9; // é in Latin-1
  test.each<[rule: string, file: Uint8Array<ArrayBuffer>, message: RegExp]>([
    [
      'too small',
      new Uint8Array(7),
      /^x\.safetensors: has 7 bytes, .* at least 8; download it again$/,
    ],
    [
      'header over the limit',
      fileOf('{}', 0, 100_000_001),
      /^x\.safetensors: is no safetensors file: its header would be 100,000,001 bytes, the limit is 100,000,000$/,
    ],
    [
      'Git LFS pointer',
      new TextEncoder().encode('version https://git-lfs.github.com/spec/v1\noid sha256:00\n'),
      /is a Git LFS pointer; run `git lfs pull`/,
    ],
    ['web page', new TextEncoder().encode('<!doctype html><html>'), /it is a web page/],
    ['zip archive', new TextEncoder().encode('PK\u0003\u0004aaaaaaaaaa'), /zip archive \(PyTorch/],
    [
      'header beyond the file',
      fileOf('{}', 0, 50),
      /^x\.safetensors: cut short: expected 58 bytes, file has 10; download it again$/,
    ],
    ['not UTF-8', fileOf(latin1, 8), /^x\.safetensors: header is not UTF-8; download it again$/],
    [
      'not JSON',
      fileOf('{"a":}'),
      /^x\.safetensors: header is not JSON \(SyntaxError.*\); download it again$/,
    ],
    ['JSON, no object', fileOf('[1]'), /^x\.safetensors: header is not a JSON object$/],
    ['leading space', fileOf(' {}'), /^x\.safetensors: header is not a JSON object$/],
    [
      'repeated tensor',
      fileOf(`{"a":${good},"a":${good}}`, 8),
      /^x\.safetensors: header has the key "a" twice$/,
    ],
    [
      'repeated tensor, one escaped',
      fileOf(`{"a":${good},"\\u0061" : ${good}}`, 8),
      /^x\.safetensors: header has the key "a" twice$/,
    ],
    [
      'repeated field',
      fileOf(`{"a":${entry('F32', [2], [0, 8], ',"dtype":"I32"')}}`, 8),
      /^x\.safetensors: header has the key "dtype" twice$/,
    ],
    [
      'repeated metadata key',
      fileOf('{"__metadata__":{"k":"1","k":"2"}}'),
      /^x\.safetensors: header has the key "k" twice$/,
    ],
    [
      'metadata of numbers',
      fileOf('{"__metadata__":{"k":1}}'),
      /^x\.safetensors: __metadata__ is not a map of strings to strings$/,
    ],
    [
      'entry is no object',
      fileOf('{"a":3}'),
      /^x\.safetensors: a: its entry is not a JSON object$/,
    ],
    [
      'unknown field',
      fileOf(`{"a":${entry('F32', [2], [0, 8], ',"stride":[1]')}}`, 8),
      /^x\.safetensors: a: unknown field "stride"$/,
    ],
    [
      'unknown dtype',
      fileOf(`{"a":${entry('Q4', [2], [0, 8])}}`, 8),
      /^x\.safetensors: a: dtype is "Q4", expected one of BOOL, .*U64$/,
    ],
    [
      'negative dimension',
      fileOf(`{"a":${entry('F32', [-2], [0, 8])}}`, 8),
      /^x\.safetensors: a: shape is \[-2\], expected a list of non-negative integers$/,
    ],
    [
      'fractional dimension',
      fileOf(`{"a":${entry('F32', [1.5], [0, 6])}}`, 6),
      /a: shape is \[1\.5\], expected a list of non-negative integers$/,
    ],
    [
      'dimension beyond 2^53',
      fileOf(`{"a":{"dtype":"F32","shape":[9007199254740993,0],"data_offsets":[0,0]}}`),
      /a: shape is \[9007199254740992,0\], expected/,
    ],
    [
      'product overflows',
      fileOf(`{"a":${entry('F32', [2 ** 31, 2 ** 31], [0, 8])}}`, 8),
      /^x\.safetensors: a: F32 \[2147483648,2147483648\] is too large$/,
    ],
    [
      'half a byte',
      fileOf(`{"a":${entry('F4', [3], [0, 2])}}`, 2),
      /^x\.safetensors: a: F4 \[3\] does not fill whole bytes$/,
    ],
    [
      'shape and offsets disagree',
      fileOf(`{"a":${entry('F32', [3], [0, 8])}}`, 8),
      /^x\.safetensors: a: F32 \[3\] takes 12 bytes, data_offsets span 8$/,
    ],
    [
      'three offsets',
      fileOf(`{"a":${entry('F32', [2], [0, 8, 8])}}`, 8),
      /a: data_offsets is \[0,8,8\], expected \[begin, end\]$/,
    ],
    [
      'end before begin',
      fileOf(`{"a":${entry('F32', [2], [8, 0])}}`, 8),
      /a: data_offsets is \[8,0\], expected \[begin, end\]$/,
    ],
    [
      'gap at the start',
      fileOf(`{"a":${entry('F32', [1], [4, 8])}}`, 8),
      /^x\.safetensors: a starts at byte 4 of the data, expected 0: gaps and overlaps are not allowed$/,
    ],
    [
      'gap between',
      fileOf(`{"a":${entry('F32', [1], [0, 4])},"b":${entry('F32', [1], [8, 12])}}`, 12),
      /^x\.safetensors: b starts at byte 8 of the data, expected 4/,
    ],
    [
      'overlap',
      fileOf(`{"a":${entry('F32', [2], [0, 8])},"b":${entry('F32', [1], [4, 8])}}`, 8),
      /^x\.safetensors: b starts at byte 4 of the data, expected 8/,
    ],
    [
      'same bytes twice',
      fileOf(`{"a":${good},"b":${good}}`, 8),
      /^x\.safetensors: b starts at byte 0 of the data, expected 8/,
    ],
    [
      'data cut short',
      fileOf(`{"a":${entry('F32', [1000], [0, 4000])}}`, 3000),
      /^x\.safetensors: cut short: header says 4,0\d\d bytes, file has 3,0\d\d; download it again$/,
    ],
    [
      'bytes after the last tensor',
      fileOf(`{"a":${good}}`, 9),
      /^x\.safetensors: has 1 bytes after the last tensor: header says \d+ bytes, file has \d+; download it again$/,
    ],
  ])('%s', async (_, file, message) => {
    await expect(open(file)).rejects.toThrow(message);
    await expect(open(file)).rejects.toMatchObject({ name: 'CheckpointError' });
  });
});

describe('a header is accepted', () => {
  test('with metadata, trailing spaces, and values that look like keys', async () => {
    const { tensors, metadata } = await open(
      fileOf(`{"__metadata__":{"k":"a:\\"b\\":{","a":"k"},"a":${good}}   `, 8),
    );
    expect(metadata).toEqual({ k: 'a:"b":{', a: 'k' });
    expect([...tensors.keys()]).toEqual(['a']);
  });

  test('empty, and one of empty tensors', async () => {
    expect((await open(fileOf('{}'))).tensors.size).toBe(0);
    const { tensors } = await open(
      fileOf(`{"a":${good},"none":${entry('F32', [0, 4], [0, 0])}}`, 8),
    );
    expect(tensors.get('none')).toMatchObject({ shape: [0, 4], bytes: 0 });
  });

  test('named __proto__ or constructor', async () => {
    const { tensors } = await open(
      fileOf(`{"__proto__":${good},"constructor":${entry('U8', [1], [8, 9])}}`, 9),
    );
    expect([...tensors.keys()].toSorted()).toEqual(['__proto__', 'constructor']);
  });

  test('longer than the first read', async () => {
    const names = Array.from({ length: 4000 }, (_, i) => `block.${i}.weight`);
    const bytes = new Uint8Array([1, 2]);
    const file = concatBytes(
      safetensorsParts(new Map(names.map((n) => [n, { dtype: 'F16', shape: [1], bytes }]))),
    );
    expect(file.length).toBeGreaterThan(256 * 1024);
    expect((await open(file)).tensors.size).toBe(4000);
  });
});

describe('edge.safetensors', () => {
  test('BF16, empty, scalar, unaligned, non-ASCII, header order unlike data order', async () => {
    const golden = await openGolden('kernels/edge');
    expect([...golden.tensors.keys()].toSorted()).toEqual([
      'alpha',
      'empty',
      'i64',
      'odd_u8',
      'scalar',
      'unaligned_f32',
      'zeta',
      'ünïcode.weight',
    ]);
    expect(golden.at('empty')).toEqual({ shape: [0, 4], data: new Float32Array(0) });
    expect(golden.at('scalar').shape).toEqual([]);
    expect(golden.at('scalar').data).toHaveLength(1);
    const values = [...golden.tensors].map(([name, { data }]) => [name, [...data].map(Number)]);
    expect(Object.fromEntries(values)).toEqual({
      zeta: [1, 2, 3, 4],
      alpha: [1, -2.5, 3.140625],
      empty: [],
      scalar: [7.5],
      'ünïcode.weight': [1e-300],
      i64: [-1, 2 ** 40],
      odd_u8: [1, 2, 3],
      unaligned_f32: [1.25, -8],
    });
    const source = await fileSource(goldenPath('kernels/edge.safetensors'));
    const { tensors } = await readHeader(source);
    await source.close();
    const misaligned = ['scalar', 'ünïcode.weight', 'i64'].map((k) => tensors.get(k)!.offset % 4);
    expect(misaligned).not.toContain(0);
  });
});

describe('reading', () => {
  const rows = Uint8Array.from({ length: 5 * 8 * 1024 * 1024 }, (_, i) => i >>> 16);
  const tensors = new Map<string, TensorData>([
    ['big', { dtype: 'U8', shape: [5, 8 * 1024 * 1024], bytes: rows }],
    ['odd', { dtype: 'F8_E4M3', shape: [3], bytes: new Uint8Array([1, 2, 3]) }],
  ]);
  const source = bytesSource('x.safetensors', concatBytes(safetensorsParts(tensors)));

  test('comes in pieces of whole rows, at most 16 MiB', async () => {
    const entry = (await readHeader(source)).tensors.get('big')!;
    const sizes: number[] = [];
    for await (const chunk of chunksOf(stored(source, entry))) sizes.push(chunk.length / 2 ** 20);
    expect(sizes).toEqual([16, 16, 8]);
    const whole = await readTensor(source, entry);
    expect(Buffer.compare(whole, rows)).toBe(0);
  });

  test('refuses a dtype it cannot read, by name', async () => {
    const entry = (await readHeader(source)).tensors.get('odd')!;
    await expect(readTensor(source, entry)).rejects.toThrow(
      /^x\.safetensors: odd is F8_E4M3, which cannot be read; convert it to F16 or F32$/,
    );
  });

  test('stops when aborted', async () => {
    const entry = (await readHeader(source)).tensors.get('big')!;
    await expect(readTensor(source, entry, AbortSignal.abort())).rejects.toMatchObject({
      name: 'AbortError',
    });
  });
});

describe('writing', () => {
  test('what was written is read back, sorted and aligned', async () => {
    const tensors = new Map<string, TensorData>([
      ['b', { dtype: 'F16', shape: [3], bytes: new Uint8Array([1, 2, 3, 4, 5, 6]) }],
      ['7', { dtype: 'F16', shape: [], bytes: new Uint8Array([7, 8]) }],
      ['ü"', { dtype: 'F64', shape: [1, 1], bytes: new Uint8Array(8).fill(9) }],
      ['u8', { dtype: 'U8', shape: [1], bytes: new Uint8Array([3]) }],
    ]);
    const source = bytesSource('x', concatBytes(safetensorsParts(tensors, { format: 'pt' })));
    const header = await readHeader(source);
    expect(header.metadata).toEqual({ format: 'pt' });
    expect([...header.tensors.keys()]).toEqual(['ü"', '7', 'b', 'u8']);
    for (const [name, { dtype, shape, bytes }] of tensors) {
      const entry = header.tensors.get(name)!;
      expect(entry).toMatchObject({ dtype, shape });
      expect(await readTensor(source, entry)).toEqual(bytes);
    }
    expect([...header.tensors.values()].map((e) => e.offset % 8)).toEqual([0, 0, 2, 0]);
  });

  test('refuses bytes that do not fit the shape', () => {
    expect(() =>
      safetensorsParts(new Map([['a', { dtype: 'F32', shape: [2], bytes: new Uint8Array(7) }]])),
    ).toThrow(/^a: F32 \[2\] takes 8 bytes, got 7$/);
  });
});
