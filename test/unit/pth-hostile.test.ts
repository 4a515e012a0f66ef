/** Checkpoints that are damaged or mean harm: one sentence each, in bounded time and memory. */
import { describe, expect, test } from 'vitest';
import { CheckpointError } from '../../src/weights/error.ts';
import { readTorch, type StoredTensor } from '../../src/weights/pth.ts';
import { bytesSource } from '../../src/weights/source.ts';
import {
  bytes,
  dict,
  EDGE_VIEWS,
  global,
  int,
  ints,
  none,
  pickle,
  reduce,
  storage,
  tensor,
  text,
  torchGolden,
  torchZip,
  tuple,
  zip,
  type TensorOptions,
  type ZipTweaks,
} from '../harness/torch-files.ts';
import { chunksOf } from '../../src/weights/tensor-reads.ts';

type Bytes = Uint8Array<ArrayBuffer>;

const data = new Uint8Array(96);
/** Around a pickle. */
const withPickle = (whole: Bytes): Bytes => torchZip({ 'data.pkl': whole, 'data/0': data });
/** Around what a pickle of protocol 2 leaves on the stack. */
const holding = (root: Bytes): Bytes => withPickle(pickle(root));
const withTensor = (shape: readonly (number | bigint)[], options: TensorOptions = {}): Bytes =>
  holding(dict({ a: tensor('0', shape, { count: 24, ...options }) }));
const good = pickle(dict({ a: tensor('0', [24]) }));
const tweaked = (tweaks: Record<string, ZipTweaks>): Bytes =>
  torchZip({ 'data.pkl': good, 'data/0': data }, { tweaks });
const call = (module: string, name: string) => holding(reduce(global(module, name), text('true')));
const u32 = (value: number) => new Uint8Array(Uint32Array.of(value).buffer);

/** The end of PyTorch's legacy header: four pickles before the object's. */
const legacy = (root: Bytes, keys: Bytes, rest: Bytes, littleEndian = 0x88): Bytes =>
  bytes(
    torchGolden('edge_views_legacy.pth').subarray(0, 21),
    pickle(bytes('}', text('little_endian'), littleEndian, 's')),
    pickle(root),
    pickle(keys),
    rest,
  );
const keyList = (...keys: readonly string[]): Bytes => bytes('](', ...keys.map(text), 'e');
const legacyTensor = dict({ a: tensor('0', [2]) });
const eight = (value: number) => new Uint8Array(BigInt64Array.of(BigInt(value)).buffer);

/** Memo `slot` in a tuple, ten times; remembered in the next slot. */
const tenTimes = (slot: number): Bytes =>
  bytes(tuple(...Array<Bytes>(10).fill(bytes('h', slot))), 'q', slot + 1);

const CASES: Readonly<Record<string, readonly [file: Bytes, message: RegExp]>> = {
  // names
  'os.system': [call('os', 'system'), /asks for os\.system, which no weights need and is not run/],
  'posix.system': [call('posix', 'system'), /asks for posix\.system/],
  'builtins.eval': [call('builtins', 'eval'), /asks for builtins\.eval/],
  'a name of ours': [call('constructor', 'prototype'), /asks for constructor\.prototype/],
  'a name with dots': [
    call('torch', '_utils._rebuild_tensor_v2.__globals__'),
    /asks for torch\._utils\._rebuild_tensor_v2\.__globals__/,
  ],
  'a name that is only named': [
    holding(dict({ a: global('subprocess', 'Popen') })),
    /asks for subprocess\.Popen/,
  ],
  'a name from the stack': [
    withPickle(bytes(0x80, 4, 0x8c, 2, 'os', 0x8c, 6, 'system', 0x93, '.')),
    /asks for os\.system/,
  ],
  'a name with control codes': [call('os\u001b[2J', 'x'), /asks for os\?\[2J\.x/],
  'a long name': [call('a'.repeat(10_000), 'x'), /asks for a{80}…, which/],
  'a legacy name': [
    legacy(reduce(global('os', 'system'), text('true')), keyList(), bytes()),
    /asks for os\.system/,
  ],

  // pickles
  'an opcode of classes': [
    withPickle(bytes(0x80, 2, '(', 'i', 'os\nsystem\n', '.')),
    /opcode 0x69 at byte 3, which torch\.save does not write/,
  ],
  NEWOBJ: [holding(bytes(global('torch', 'Size'), ')', 0x81)), /opcode 0x81/],
  'an extension': [holding(bytes(0x82, 1)), /opcode 0x82/],
  'protocol 0': [withPickle(bytes(0x80, 0, 'N.')), /has protocol 0, expected 2 to 5/],
  'no end': [withPickle(bytes(0x80, 2, '}')), /its pickle has no end: cut short/],
  'an empty pickle': [withPickle(bytes()), /its pickle has no end/],
  'an empty stack': [withPickle(bytes(0x80, 2, '.')), /takes more from the stack than is there/],
  'a value across a mark': [holding(bytes('N(', 'R')), /takes more from the stack than is there/],
  'values left over': [holding(bytes('NN')), /leaves values on the stack/],
  'a group without a beginning': [holding(bytes('t')), /ends a group that was not begun/],
  'a memo that is not set': [holding(bytes('h', 7)), /asks for memo 7, which is not set/],
  'text longer than the file': [holding(bytes('X', u32(0xffff_fff0), 'a')), /has no end/],
  'text of 2^63 bytes': [
    holding(bytes(0x8d, new Uint8Array(7), 0x80, 'a')),
    /has no end: cut short/,
  ],
  'text that is not UTF-8': [holding(bytes('X', u32(1), 0xff)), /text at byte 7 that is not UTF-8/],
  'an integer of 4 GB': [holding(bytes(0x8b, u32(0xffff_ffff))), /an integer of 4294967295 bytes/],
  'a key without a value': [holding(bytes('}(N', 'u')), /sets a key without a value/],
  'items of a text': [holding(bytes(text('a'), 'NN', 's')), /item of something that is no dict/],
  'a list that is none': [holding(bytes('}N', 'a')), /appends to something that is no list/],
  'attributes of a list': [holding(bytes(']}', 'b')), /gives attributes to plain data/],
  'a call of data': [holding(reduce(text('a'))), /calls something that is no function/],
  'a call of a storage type': [
    call('torch', 'FloatStorage'),
    /calls something that is no function/,
  ],
  'arguments that are no tuple': [
    holding(bytes(global('torch', 'Size'), '}', 'R')),
    /calls torch\.Size without a tuple/,
  ],
  // A tuple of ten times a tuple of ten times …: 10^30 values, if one counted them.
  'a bomb of references': [
    holding(tuple(bytes(']q', 0), ...Array.from({ length: 30 }, (_, i) => tenTimes(i)))),
    /holds no dict of tensors/,
  ],
  'a list that holds itself': [holding(bytes(']q', 0, 'h', 0, 'a')), /holds no dict of tensors/],
  'a dict that holds itself': [
    holding(bytes('}q', 0, text('state_dict'), 'h', 0, 's')),
    /holds no tensors in itself, state_dict or params_ema; it has state_dict; save the state_dict/,
  ],
  'a million levels': [
    withPickle(
      bytes(0x80, 2, new Uint8Array(400_000).fill(0x5d), new Uint8Array(399_999).fill(0x61), '.'),
    ),
    /holds no dict of tensors/,
  ],
  'a million marks': [
    withPickle(new Uint8Array(2_000_000).fill(0x28)),
    /more than 1,000,000 steps/,
  ],
  'a million dicts': [
    withPickle(new Uint8Array(2_000_000).fill(0x7d)),
    /more than 1,000,000 steps/,
  ],
  'a pickle of 17 MB': [
    withPickle(new Uint8Array(17e6)),
    /data\.pkl has 17,000,000 bytes, the limit/,
  ],

  // storages and tensors
  'data by another tag': [
    holding(
      bytes(tuple(text('module'), global('torch', 'FloatStorage'), text('0'), none, int(1)), 'Q'),
    ),
    /refers to data in a way that torch\.save does not/,
  ],
  'a storage of no known type': [
    holding(bytes(tuple(text('storage'), text('float'), text('0'), none, int(1)), 'Q')),
    /refers to data in a way/,
  ],
  'a negative storage': [holding(storage('0', -1)), /refers to data in a way/],
  'one storage in two sizes': [
    holding(dict({ a: tensor('0', [24]), b: tensor('0', [23]) })),
    /storage 0 is described in two ways/,
  ],
  'a storage that is missing': [
    holding(dict({ a: tensor('../../etc/passwd', [24]) })),
    /has no storage \.\.\/\.\.\/etc\/passwd, which its pickle refers to/,
  ],
  'a storage of another size': [
    holding(dict({ a: tensor('0', [25]) })),
    /storage 0 has 96 bytes, its pickle says 100/,
  ],
  'a storage of 2^62 elements': [withTensor([1], { count: 2n ** 62n }), /refers to data in a way/],
  'a tensor without a storage': [
    holding(reduce(global('torch._utils', '_rebuild_tensor'), none, int(0), ints([]), ints([]))),
    /one of its tensors has no storage/,
  ],
  'a negative offset': [withTensor([2], { offset: -1 }), /non-negative integers/],
  'a negative size': [withTensor([-2]), /non-negative integers/],
  'a negative stride': [withTensor([2], { stride: [-1] }), /non-negative integers/],
  'a size of 2^63': [withTensor([2n ** 63n - 1n]), /non-negative integers/],
  '65 axes': [withTensor(Array<number>(65).fill(1)), /at most 64 non-negative integers/],
  'a stride too few': [withTensor([2, 2], { stride: [1] }), /has 2 sizes and 1 strides/],
  'a tensor past its storage': [
    withTensor([5, 5]),
    /a ends at element 25 of storage 0, which has 24$/,
  ],
  'an offset past its storage': [
    withTensor([1], { offset: 24 }),
    /a ends at element 25 of storage 0/,
  ],
  'a stride past its storage': [
    withTensor([2], { stride: [24] }),
    /a ends at element 25 of storage 0/,
  ],
  'a stride that overflows': [
    withTensor([2 ** 27, 2 ** 27], { stride: [2 ** 52, 2 ** 52] }),
    /which is too large/,
  ],
  'a shape that overflows': [withTensor([2 ** 30, 2 ** 30], { stride: [0, 0] }), /too large/],
  'one value, 4 TB of them': [
    withTensor([2 ** 40], { stride: [0] }),
    /a \[1099511627776\] takes 4,398,046,511,104 bytes, the whole file has .*contiguous/,
  ],
  'one name twice': [
    holding(dict({ a: tensor('0', [24]), 'module.a': tensor('0', [24]) })),
    /has a twice, with different prefixes/,
  ],
  'no tensors': [
    holding(dict({ epoch: int(1), model: dict({ a: tensor('0', [24]) }) })),
    /it has epoch, model; save the state_dict alone$/,
  ],
  nothing: [holding(dict({})), /it is empty/],

  // zip files
  'a compressed entry': [
    tweaked({ 'archive/data/0': { method: 8 } }),
    /archive\/data\/0 is compressed, torch\.save stores its data as it is/,
  ],
  'an encrypted entry': [tweaked({ 'archive/data.pkl': { flags: 1 } }), /data\.pkl is encrypted/],
  'an entry out of the file': [
    tweaked({ 'archive/data/0': { size: 1e6 } }),
    /archive\/data\/0 ends at byte 1,000,\d+, behind the \d+ bytes that hold data/,
  ],
  'an entry before the file': [
    tweaked({ 'archive/data/0': { offset: 0xffff_fffe } }),
    /behind the \d+ bytes/,
  ],
  'entries on top of each other': [
    tweaked({ 'archive/data/0': { offset: 0 } }),
    /archive\/data\.pkl and archive\/data\/0 overlap in the file/,
  ],
  'an entry that is not there': [
    tweaked({ 'archive/data.pkl': { offset: 3, size: good.length - 3 } }),
    /data\.pkl is not where the zip directory says/,
  ],
  'one entry twice': [
    zip([
      ['a/data.pkl', good],
      ['a/data.pkl', good],
    ]),
    /has a\/data\.pkl twice/,
  ],
  'an entry with control codes': [
    zip([['\u001b[2J', data]], { tweaks: { '\u001b[2J': { method: 8 } } }),
    /\?\[2J is compressed/,
  ],
  'two pickles': [
    zip([
      ['a/data.pkl', good],
      ['b/data.pkl', good],
    ]),
    /needs one data\.pkl in one folder/,
  ],
  'another zip file': [zip([['word/document.xml', data]]), /is a zip archive but no PyTorch/],
  'a TorchScript program': [
    torchZip({ 'data.pkl': good, 'constants.pkl': good }),
    /is a TorchScript program, not weights/,
  ],
  'big-endian': [
    torchZip({ 'data.pkl': good, 'data/0': data, byteorder: bytes('big') }),
    /big-endian machine/,
  ],
  'a zip directory of its own length': [
    bytes('PK', new Uint8Array(40), 'PK\u0005\u0006', new Uint8Array(16).fill(255), 0, 0),
    /one part of a zip archive in several files/,
  ],
  'no zip directory': [bytes('PK\u0003\u0004', data), /no zip directory at its end .*cut short/],

  // neither
  'an empty file': [bytes(), /is no PyTorch checkpoint: it is neither a zip archive nor a pickle/],
  'a Git LFS pointer': [bytes('version https://git-lfs.github.com/spec/v1\n'), /Git LFS pointer/],
  'a web page': [bytes('<!doctype html>'), /it is a web page/],

  // the legacy format
  'a pickle of something else': [
    bytes(pickle(bytes(0x8a, 10, new Uint8Array(10))), ...Array<Bytes>(4).fill(pickle(none))),
    /is a pickle, but not one that torch\.save wrote/,
  ],
  'a legacy file of a big-endian machine': [
    legacy(legacyTensor, keyList('0'), bytes(), 0x89),
    /big-endian machine/,
  ],
  'a legacy file without storages': [
    legacy(legacyTensor, none, bytes()),
    /list of storages is mis/,
  ],
  'a legacy storage that is not listed': [
    legacy(legacyTensor, keyList(), bytes()),
    /has no storage 0/,
  ],
  'a legacy storage listed twice': [
    legacy(legacyTensor, keyList('0', '0'), data),
    /list of storages does not fit its pickle/,
  ],
  'a legacy storage nobody knows': [
    legacy(legacyTensor, keyList('1'), data),
    /list of storages does not fit its pickle/,
  ],
  'a legacy file cut short': [legacy(legacyTensor, keyList('0'), eight(2)), /cut short: expected/],
  'a legacy storage of another size': [
    legacy(legacyTensor, keyList('0'), bytes(eight(3), eight(0))),
    /storage 0 has 3 elements, its pickle says 2/,
  ],
  'a part of a storage': [
    legacy(
      bytes(
        tuple(text('storage'), global('torch', 'FloatStorage'), text('0'), none, int(1), ints([1])),
        'Q',
      ),
      keyList('0'),
      data,
    ),
    /storage 0 is a part of another one; save it with PyTorch 1\.6 or newer/,
  ],
};

/** All tensors with all bytes. */
async function readAll(file: Bytes): Promise<ReadonlyMap<string, Uint8Array>> {
  const result = new Map<string, Uint8Array>();
  const tensors: ReadonlyMap<string, StoredTensor> = await readTorch(bytesSource('x.pth', file));
  for (const [name, entry] of tensors) {
    const parts: Uint8Array[] = [];
    for await (const chunk of chunksOf(entry)) parts.push(chunk);
    const whole = bytes(...parts);
    expect(whole).toHaveLength(entry.bytes);
    result.set(name, whole);
  }
  return result;
}

describe('refused in one sentence', () => {
  test.each(Object.entries(CASES))('%s', { timeout: 10_000 }, async (_, [file, message]) => {
    const error = await readAll(file).then(
      () => new Error('it was read'),
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(CheckpointError);
    const { message: sentence } = error as CheckpointError;
    expect(sentence).toMatch(message);
    expect(sentence).toMatch(/^x\.pth: [\x20-\x7e…]{1,300}$/);
  });

  test('without the hostile part the same files are read', async () => {
    expect(await readAll(withPickle(good))).toEqual(new Map([['a', data]]));
    expect(await readAll(withTensor([6, 4], { stride: [1, 6] }))).toEqual(new Map([['a', data]]));
    expect(await readAll(legacy(legacyTensor, keyList('0'), bytes(eight(2), eight(0))))).toEqual(
      new Map([['a', new Uint8Array(8)]]),
    );
  });
});

describe.each(EDGE_VIEWS)('%s, damaged', (name) => {
  const file = torchGolden(name);

  test('cut at any byte: refused', async () => {
    for (let length = 0; length < file.length; length++) {
      await expect(readAll(file.slice(0, length)), `${length}`).rejects.toThrow(CheckpointError);
    }
  });

  test(
    'any byte changed: refused, or tensors of the sizes they say',
    { timeout: 60_000 },
    async () => {
      let refused = 0;
      let same = 0;
      const whole = await readAll(file);
      for (let at = 0; at < file.length; at++) {
        for (const flip of [0x01, 0x80, 0xff]) {
          const damaged = file.slice();
          damaged[at]! ^= flip;
          try {
            const tensors = await readAll(damaged);
            same += Number(
              [...whole].every(([key, data]) => String(tensors.get(key)) === String(data)),
            );
          } catch (error) {
            expect(error, `byte ${at} ^ ${flip}`).toBeInstanceOf(CheckpointError);
            refused++;
          }
        }
      }
      // Padding, CRCs and dates may change unseen; a weight's bytes give another weight.
      expect(refused).toBeGreaterThan(file.length / 4);
      expect(same).toBeGreaterThan(0);
    },
  );
});
