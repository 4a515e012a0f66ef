import { expect, test } from 'vitest';
import { type Checkpoint, openFile } from '../../src/weights/checkpoint.ts';
import { convertCheckpoint } from '../../src/weights/convert.ts';
import { memoryFolder } from '../../src/weights/folder.ts';
import type { StoredTensor } from '../../src/weights/pth.ts';
import { CHUNK_BYTES } from '../../src/weights/tensor-reads.ts';
import { readAll } from '../harness/read-all.ts';
import { concatBytes, safetensorsParts } from '../../src/weights/safetensors-write.ts';
import { tinySafetensors } from '../harness/synthetic.ts';
import {
  dict,
  GENUINE_FILES,
  genuineNoisePredictor,
  pickle,
  tensor,
  torchGolden,
  torchZip,
} from '../harness/torch-files.ts';

type Bytes = Uint8Array<ArrayBuffer>;
const open = (name: string, file: Bytes): Promise<Checkpoint> =>
  openFile(memoryFolder('model', new Map([[name, file]])), name);

async function converted(checkpoint: Checkpoint, target?: 'F16' | 'F32'): Promise<Bytes> {
  const conversion = convertCheckpoint(checkpoint, target);
  const parts: Bytes[] = [];
  for await (const part of conversion.content()) parts.push(part);
  const whole = concatBytes(parts);
  expect(whole).toHaveLength(conversion.bytes);
  return whole;
}

test.each(GENUINE_FILES)('%s.pth becomes the safetensors file beside it', async (name) => {
  const file = await converted(await open('x.pth', await genuineNoisePredictor(name)), 'F16');
  expect(Buffer.from(file).equals(tinySafetensors('noise_predictor'))).toBe(true);
});

test('types: floats change, integers stay; a second conversion changes nothing', async () => {
  const views = await open('x.pth', torchGolden('edge_views.pth'));
  for (const [target, float] of [
    ['F32', 'F32'],
    [undefined, undefined],
  ] as const) {
    const file = await converted(views, target);
    const result = await open('x.safetensors', file);
    for (const [name, { dtype, shape }] of views.tensors) {
      const isFloat = ['F16', 'BF16', 'F32', 'F64'].includes(dtype);
      expect(result.tensors.get(name), name).toMatchObject({
        dtype: isFloat ? (float ?? dtype) : dtype,
        shape,
      });
      if (float === undefined || !isFloat || dtype === float) {
        expect(await readAll(result.tensors.get(name)!), name).toEqual(
          await readAll(views.tensors.get(name)!),
        );
      }
    }
    expect(await converted(result, target)).toEqual(file);
  }
});

test('a value beyond f16 is told with the name of its tensor', async () => {
  const bytes = new Uint8Array(Float32Array.of(1, -7e4).buffer);
  const file = concatBytes(
    safetensorsParts(new Map([['a.b', { dtype: 'F32', shape: [2], bytes }]])),
  );
  const checkpoint = await open('x.safetensors', file);
  await expect(converted(checkpoint, 'F16')).rejects.toThrow(
    /^model\/x\.safetensors: a\.b has the value -70000, more than F16 can hold; convert it to f32/,
  );
});

test('the one name that safetensors do not allow', async () => {
  const root = dict({ __metadata__: tensor('0', [1], { type: 'ByteStorage' }) });
  const file = torchZip({ 'data.pkl': pickle(root), 'data/0': new Uint8Array(1) });
  const checkpoint = await open('x.pth', file);
  expect(() => convertCheckpoint(checkpoint)).toThrow(/x\.pth: has a tensor named __metadata__/);
});

test('a tensor passes through in pieces, none read before the last one is written', async () => {
  const rows = 1024;
  let ahead = 0;
  const tensor: StoredTensor = {
    dtype: 'F32',
    shape: [rows, 100_000],
    bytes: rows * 400_000, // 410 MB
    part: async (_, length) => {
      ahead++;
      return new Uint8Array(length);
    },
  };
  const checkpoint: Checkpoint = {
    ...(await open('x.pth', torchGolden('edge_views.pth'))),
    tensors: new Map([['a', tensor]]),
  };
  const conversion = convertCheckpoint(checkpoint, 'F16');
  let length = 0;
  for await (const part of conversion.content()) {
    if (length > 0) ahead--;
    expect(ahead).toBe(0);
    expect(part.length).toBeLessThanOrEqual(CHUNK_BYTES);
    length += part.length;
  }
  expect(length).toBe(conversion.bytes);
});
