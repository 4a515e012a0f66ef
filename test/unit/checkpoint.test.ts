import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openCheckpoint, openFile } from '../../src/weights/checkpoint.ts';
import { memoryFolder } from '../../src/weights/folder.ts';
import { nodeFolder } from '../../src/weights/node-file.ts';
import { concatBytes, safetensorsParts } from '../../src/weights/safetensors-write.ts';
import { tinyModel, tinyShapes } from '../harness/synthetic.ts';
import { dict, pickle, tensor, torchZip } from '../harness/torch-files.ts';
import { readAll } from '../harness/read-all.ts';

/** A file with one U8 tensor per name; its bytes are `value`. */
const weights = (value: number, ...names: string[]): Uint8Array<ArrayBuffer> =>
  concatBytes(
    safetensorsParts(
      new Map(
        names.map((n) => [n, { dtype: 'U8', shape: [2], bytes: new Uint8Array([value, value]) }]),
      ),
    ),
  );
const json = (value: unknown): Uint8Array<ArrayBuffer> =>
  new TextEncoder().encode(JSON.stringify(value));
const folder = (files: Record<string, Uint8Array<ArrayBuffer>>) =>
  memoryFolder('model', new Map(Object.entries(files)));

const A = 'model-00001-of-00002.safetensors';
const B = 'model-00002-of-00002.safetensors';
const INDEX = 'model.safetensors.index.json';
const sharded = (
  map: Record<string, unknown>,
  files = { [A]: weights(1, 'a'), [B]: weights(2, 'b') },
) => folder({ ...files, [INDEX]: json({ weight_map: map }) });

describe('which file', () => {
  const plain = weights(1, 'a');
  test.each<[names: string[], chosen: string]>([
    [['model.safetensors', 'config.json'], 'model.safetensors'],
    [
      ['diffusion_pytorch_model.safetensors', 'diffusion_pytorch_model.fp16.safetensors'],
      'diffusion_pytorch_model.fp16.safetensors',
    ],
    [
      ['diffusion_pytorch_model.non_ema.safetensors', 'diffusion_pytorch_model.safetensors'],
      'diffusion_pytorch_model.safetensors',
    ],
    [['prompt_embeds.safetensors', 'model.safetensors'], 'model.safetensors'],
    [['noise_predictor.fp16.safetensors'], 'noise_predictor.fp16.safetensors'],
    [[A, B, INDEX, 'model.safetensors'], 'model.safetensors'],
    [[A, B, INDEX, 'model.fp16.safetensors'], 'model.fp16.safetensors'],
  ])('%s → %s', async (names, chosen) => {
    const files = Object.fromEntries(names.map((name) => [name, plain]));
    const checkpoint = await openCheckpoint(folder(files));
    expect(checkpoint.name).toBe(`model/${chosen}`);
  });

  test('the only PyTorch file, where there is no safetensors', async () => {
    const pth = torchZip({
      'data.pkl': pickle(dict({ a: tensor('0', [2], { type: 'ByteStorage' }) })),
      'data/0': new Uint8Array([8, 9]),
    });
    const alone = await openCheckpoint(folder({ 'x_v5.pth': pth, 'config.json': plain }));
    expect(alone.name).toBe('model/x_v5.pth');
    expect(await readAll(alone.tensors.get('a')!)).toEqual(new Uint8Array([8, 9]));
    const beside = await openCheckpoint(folder({ 'a.pth': pth, 'x.safetensors': plain }));
    expect(beside.name).toBe('model/x.safetensors');
  });

  test('a half-precision index beats a single f32 file', async () => {
    for (const index of [
      'model.safetensors.index.fp16.json',
      'model.fp16.safetensors.index.json',
      'model.safetensors.fp16.index.json',
    ]) {
      const shard = 'model.fp16-00001-of-00001.safetensors';
      const checkpoint = await openCheckpoint(
        folder({
          'model.safetensors': plain,
          [shard]: weights(7, 'a'),
          [index]: json({ weight_map: { a: shard } }),
        }),
      );
      expect(checkpoint.name).toBe(`model/${index}`);
      expect(await readAll(checkpoint.tensors.get('a')!)).toEqual(new Uint8Array([7, 7]));
    }
  });

  test.each<[string, string[], RegExp]>([
    [
      'none',
      [],
      /^model: no weights; looked for diffusion_pytorch_model.*, the folder is empty or does not exist$/,
    ],
    [
      'a checkpoint without its ending',
      ['pytorch_model.bin', 'config.json'],
      /^model: no weights; .* and \*\.pth, found pytorch_model\.bin, config\.json; pytorch_model\.bin may be a PyTorch checkpoint: `invsr weights convert` makes safetensors of it$/,
    ],
    [
      'two PyTorch files',
      ['v5_diftune.pth', 'v5.pth'],
      /^model: has both v5\.pth and v5_diftune\.pth; keep one of them in the folder$/,
    ],
    [
      'a PyTorch file beside shards without index',
      [A, 'v5.pth'],
      /^model: has shards \(model-00001.*\) but no .*index\.json; download the index too$/,
    ],
    [
      'shards without index',
      [A, B],
      /^model: has shards \(model-00001.*\) but no .*index\.json; download the index too$/,
    ],
    [
      'two',
      ['x.safetensors', 'y.safetensors'],
      /^model: has both x\.safetensors and y\.safetensors; keep one/,
    ],
  ])('%s', async (_, names, message) => {
    const files = Object.fromEntries(names.map((name) => [name, plain]));
    await expect(openCheckpoint(folder(files))).rejects.toThrow(message);
  });
});

describe('shards', () => {
  test('are one name space', async () => {
    await using checkpoint = await openCheckpoint(sharded({ b: B, a: A }));
    expect([...checkpoint.tensors.keys()].toSorted()).toEqual(['a', 'b']);
    expect(checkpoint.tensors.get('b')).toMatchObject({ dtype: 'U8', shape: [2] });
    expect(await readAll(checkpoint.tensors.get('a')!)).toEqual(new Uint8Array([1, 1]));
    expect(await readAll(checkpoint.tensors.get('b')!)).toEqual(new Uint8Array([2, 2]));
    expect(checkpoint.bytes).toBe(weights(1, 'a').length + weights(2, 'b').length);
    expect(checkpoint.name).toBe('model/model.safetensors.index.json');
  });

  test.each<[string, ReturnType<typeof folder>, RegExp]>([
    [
      'a key its shard lacks',
      sharded({ a: A, c: B }),
      /^model\/model\.safetensors\.index\.json: puts c into model-00002-of-00002\.safetensors, which has no such tensor; download both again$/,
    ],
    [
      'a missing shard',
      sharded({ a: A, b: B }, { [A]: weights(1, 'a') } as never),
      /index\.json: needs model-00002-of-00002\.safetensors, which is not in model; download it$/,
    ],
    [
      'a damaged shard',
      sharded({ a: A, b: B }, { [A]: weights(1, 'a'), [B]: weights(2, 'b').slice(0, -1) }),
      /^model\/model-00002-of-00002\.safetensors: cut short/,
    ],
    [
      'a path out of the folder',
      sharded({ a: '../model.safetensors' }),
      /weight_map puts a into "\.\.\/model\.safetensors", expected the name of a \*\.safetensors file beside it$/,
    ],
    ['no weight_map', folder({ [INDEX]: json({}) }), /index\.json: has no "weight_map"$/],
    ['no JSON', folder({ [INDEX]: new Uint8Array(3) }), /index\.json: is not JSON/],
  ])('%s', async (_, broken, message) => {
    await expect(openCheckpoint(broken)).rejects.toThrow(message);
  });
});

describe('on disk', () => {
  let path = '';
  beforeAll(async () => {
    path = await mkdtemp(join(tmpdir(), 'invsr-checkpoint-'));
    await mkdir(join(path, 'unet'));
    await writeFile(join(path, 'unet/model.safetensors'), weights(3, 'a'));
    await writeFile(join(path, 'unet/config.json'), '{"x":1}');
  });
  afterAll(() => rm(path, { recursive: true }));

  test('folder, text, tensor', async () => {
    const unet = nodeFolder(path).folder('unet');
    expect((await unet.list()).toSorted()).toEqual(['config.json', 'model.safetensors']);
    expect(await unet.readText('config.json')).toBe('{"x":1}');
    await using checkpoint = await openCheckpoint(unet);
    expect(await readAll(checkpoint.tensors.get('a')!)).toEqual(new Uint8Array([3, 3]));
  });

  test('a missing file is named, and what is there instead', async () => {
    const unet = nodeFolder(path).folder('unet');
    const message = /unet: no prompt\.safetensors; the folder has .*model\.safetensors/;
    await expect(openFile(unet, 'prompt.safetensors')).rejects.toThrow(message);
    await expect(unet.readText('prompt.safetensors')).rejects.toThrow(message);
    await expect(nodeFolder(path).folder('vae').readText('config.json')).rejects.toThrow(
      /vae: no config\.json; the folder is empty or does not exist$/,
    );
  });

  test('the embedded model opens, all parts f16', async () => {
    const model = nodeFolder(fileURLToPath(new URL('../../weights/invsr-nano', import.meta.url)));
    const counts: Record<string, number> = {};
    for (const part of ['unet', 'vae', 'noise_predictor']) {
      await using checkpoint = await openCheckpoint(model.folder(part));
      const tensors = [...checkpoint.tensors.values()];
      expect(new Set(tensors.map(({ dtype }) => dtype))).toEqual(new Set(['F16']));
      counts[part] = tensors.reduce((n, { shape }) => n + shape.reduce((a, b) => a * b, 1), 0);
    }
    // Parameter counts of the model card, weights/invsr-nano/README.md.
    expect(counts).toEqual({ unet: 747_440, vae: 612_531, noise_predictor: 260_128 });
    await using prompt = await openFile(model, 'prompt_embeds.safetensors');
    expect([...prompt.tensors.values()].map(({ shape }) => shape)).toEqual([[1, 77, 64]]);
  });
});

test('the tiny model is a folder in Hugging Face layout', async () => {
  const checkpoint = await openCheckpoint(tinyModel().folder('unet'));
  expect(checkpoint.name).toBe('tiny/unet/diffusion_pytorch_model.fp16.safetensors');
  expect(checkpoint.tensors.size).toBe(Object.keys(tinyShapes('unet')).length);
  const config = JSON.parse(await tinyModel().folder('unet').readText('config.json')) as object;
  expect(config).toMatchObject({ cross_attention_dim: 64 });
});
