import { describe, expect, test } from 'vitest';
import { fillFrom, openFile } from '../../src/weights/checkpoint.ts';
import { chunksOf } from '../../src/weights/tensor-reads.ts';
import { readAll } from '../harness/read-all.ts';
import { memoryFolder } from '../../src/weights/folder.ts';
import { f32ToF16Bits } from '../../src/weights/half.ts';
import { readTorch } from '../../src/weights/pth.ts';
import { bytesSource, type ByteSource } from '../../src/weights/source.ts';
import {
  bytes,
  dict,
  EDGE_VIEWS,
  genuineNoisePredictor,
  global,
  int,
  pickle,
  reduce,
  storage,
  tensor,
  text,
  torchGolden,
  torchZip,
  tuple,
} from '../harness/torch-files.ts';

const open = (file: Uint8Array<ArrayBuffer>) =>
  openFile(memoryFolder('model', new Map([['x.pth', file]])), 'x.pth');

/** A checkpoint whose pickle holds `root`, with storages of 24 f32: 0, 1, 2, … */
const counting = new Uint8Array(Float32Array.from({ length: 24 }, (_, i) => i).buffer);
const saved = (root: Uint8Array<ArrayBuffer>, entries: Record<string, Uint8Array> = {}) =>
  torchZip({
    'data.pkl': pickle(root),
    byteorder: text('little').slice(5),
    'data/0': counting,
    ...entries,
  });
const f32 = (data: Uint8Array<ArrayBuffer>) => [...new Float32Array(data.buffer)];

// --- what PyTorch wrote --------------------------------------------------------------------------

interface Expected {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

/** Values of edge_views.json in the bytes of their type. */
const ENCODINGS: Readonly<
  Record<string, readonly [string, (values: readonly number[]) => ArrayBufferView<ArrayBuffer>]>
> = {
  'torch.float32': ['F32', (v) => Float32Array.from(v)],
  'torch.float64': ['F64', (v) => Float64Array.from(v)],
  'torch.float16': ['F16', (v) => Uint16Array.from(v, f32ToF16Bits)],
  // The values are bf16 ones: the upper halves of f32.
  'torch.bfloat16': [
    'BF16',
    (v) => Uint16Array.from(new Uint32Array(Float32Array.from(v).buffer), (bits) => bits >>> 16),
  ],
  'torch.int64': ['I64', (v) => BigInt64Array.from(v, BigInt)],
  'torch.bool': ['BOOL', (v) => Uint8Array.from(v)],
  'torch.uint8': ['U8', (v) => Uint8Array.from(v)],
};

describe.each(EDGE_VIEWS)('%s', (file) => {
  test('views, strides, shared storages and every type, to the bit', async () => {
    const expected = JSON.parse(new TextDecoder().decode(torchGolden('edge_views.json'))) as Record<
      string,
      Expected
    >;
    await using checkpoint = await open(torchGolden(file));
    const names = Object.keys(expected).map((name) => name.replace('module.', ''));
    expect([...checkpoint.tensors.keys()]).toEqual(names);
    for (const [name, { dtype, shape, values }] of Object.entries(expected)) {
      const key = name.replace('module.', '');
      const [type, encode] = ENCODINGS[dtype]!;
      expect(checkpoint.tensors.get(key)).toMatchObject({ dtype: type, shape });
      const { buffer } = encode(values);
      expect(await readAll(checkpoint.tensors.get(key)!), name).toEqual(new Uint8Array(buffer));
      const half = Math.floor(buffer.byteLength / 2);
      const rest = new Uint8Array(buffer.byteLength - half);
      await fillFrom(checkpoint.tensors.get(key)!, half, rest);
      expect(rest, name).toEqual(new Uint8Array(buffer, half));
      const beyond = fillFrom(checkpoint.tensors.get(key)!, half + 1, rest);
      await expect(beyond, name).rejects.toThrow(RangeError);
    }
  });
});

test('opening reads the pickle and the directory, reading a tensor its bytes', async () => {
  const file = await genuineNoisePredictor('noise_predictor');
  let count = 0;
  const inner = bytesSource('x.pth', file);
  const source: ByteSource = {
    ...inner,
    read: (offset, length) => {
      count += length;
      return inner.read(offset, length);
    },
  };
  const tensors = await readTorch(source);
  // 29,189 bytes of pickle, 166 entries in the directory, and at most 64 KiB of a file's end to
  // look for it: of 2.2 MB.
  expect(count).toBeLessThan(120_000);
  count = 0;
  const tensor = tensors.get('encoder.time_embedding.linear_1.weight')!;
  for await (const chunk of chunksOf(tensor)) expect(chunk).toHaveLength(64 * 128 * 4);
  expect(count).toBeLessThan(64 * 128 * 4 + 100); // and a local header
});

// --- what others save ----------------------------------------------------------------------------

const one = tensor('0', [2, 12]);

describe('a state_dict', () => {
  test.each<[string, Uint8Array<ArrayBuffer>, string[]]>([
    ['by itself', dict({ a: one, b: one }), ['a', 'b']],
    ['in state_dict', dict({ iters: int(7), state_dict: dict({ a: one }) }), ['a']],
    ['in params_ema', dict({ params_ema: dict({ a: one }), params: dict({ b: one }) }), ['a']],
    ['with a tensor named state_dict', dict({ state_dict: one }), ['state_dict']],
    ['with prefixes', dict({ 'module._orig_mod.module.a.module.b': one }), ['a.module.b']],
    ['beside other things', dict({ epoch: int(3), name: text('x'), a: one }), ['a']],
    [
      'as OrderedDict with attributes',
      bytes(
        reduce(global('collections', 'OrderedDict')),
        bytes('(', text('a'), one, 'u'),
        bytes(dict({ _metadata: dict({ version: int(1) }) }), 'b'),
      ),
      ['a'],
    ],
  ])('%s', async (_, root, names) => {
    await using checkpoint = await open(saved(root));
    expect([...checkpoint.tensors.keys()]).toEqual(names);
    expect(f32(await readAll(checkpoint.tensors.get(names[0]!)!))).toEqual(f32(counting));
  });

  test('of parameters, sizes and old tensors', async () => {
    const shape = reduce(global('torch', 'Size'), tuple(int(3)));
    const old = reduce(
      global('torch._utils', '_rebuild_tensor'),
      storage('0', 24),
      int(5),
      shape,
      tuple(int(2)),
    );
    const parameter = reduce(global('torch._utils', '_rebuild_parameter'), old, bytes(0x88));
    await using checkpoint = await open(
      saved(dict({ a: parameter, device: reduce(global('torch', 'device'), text('cuda')) })),
    );
    expect(f32(await readAll(checkpoint.tensors.get('a')!))).toEqual([5, 7, 9]);
  });

  test('of an untyped storage with a type beside it', async () => {
    const untyped = bytes(
      tuple(
        text('storage'),
        global('torch.storage', 'UntypedStorage'),
        text('0'),
        text('cpu'),
        int(96),
      ),
      'Q',
    );
    const v3 = reduce(
      global('torch._utils', '_rebuild_tensor_v3'),
      untyped,
      int(4),
      tuple(int(3)),
      tuple(int(1)),
      bytes(0x89),
      bytes('N'),
      global('torch', 'uint32'),
    );
    await using checkpoint = await open(saved(dict({ a: v3 })));
    expect(checkpoint.tensors.get('a')).toMatchObject({ dtype: 'U32', shape: [3] });
    expect(f32(await readAll(checkpoint.tensors.get('a')!))).toEqual([4, 5, 6]);
  });

  test('in protocol 4, in a zip64 file with a comment', async () => {
    const named = (module: string, name: string) =>
      bytes(0x8c, module.length, module, 0x94, 0x8c, name.length, name, 0x93);
    const root = bytes(
      named('collections', 'OrderedDict'),
      bytes(')R(', 0x8c, 1, 'a', 0x94, one, 'u'),
    );
    const framed = bytes(0x80, 4, 0x95, new Uint8Array(8), root, '.');
    const file = torchZip(
      { 'data.pkl': framed, 'data/0': counting },
      { zip64: true, comment: 'PK\u0005\u0006 is no end' },
    );
    await using checkpoint = await open(file);
    expect(f32(await readAll(checkpoint.tensors.get('a')!))).toEqual(f32(counting));
  });
});
