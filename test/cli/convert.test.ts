/** `invsr weights convert`: what it writes, what it refuses, and that nothing half-done stays. */
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openCheckpoint, openFile } from '../../src/weights/checkpoint.ts';
import { nodeFolder } from '../../src/weights/node-file.ts';
import { safetensorsHeader } from '../../src/weights/safetensors-write.ts';
import { tinySafetensors } from '../harness/synthetic.ts';
import {
  dict,
  genuineNoisePredictor,
  global,
  pickle,
  reduce,
  tensor,
  text,
  torchGolden,
  torchZip,
} from '../harness/torch-files.ts';
import { eventsOf, expectRefusal, filesIn, invsr, NANO, scratch } from './invsr.ts';
import { readAll } from '../harness/read-all.ts';

const { folder: cwd, remove } = scratch();
const at = (name: string) => join(cwd, name);
const convert = (...args: readonly string[]) => invsr(['weights', 'convert', ...args], { cwd });

/** A file of zeros that takes no room on the disk. */
function sparse(name: string, rows: number): void {
  const tensors = new Map([['a', { dtype: 'F32', shape: [rows, 1 << 20] } as const]]);
  const { bytes } = safetensorsHeader(tensors);
  writeFileSync(at(name), bytes);
  truncateSync(at(name), bytes.length + rows * (4 << 20));
}

beforeAll(async () => {
  writeFileSync(at('np.pth'), await genuineNoisePredictor('noise_predictor'));
  writeFileSync(at('views.pt'), torchGolden('edge_views.pth'));
  const huge = new Uint8Array(Float32Array.of(1, 65_520).buffer);
  writeFileSync(
    at('huge.pth'),
    torchZip({ 'data.pkl': pickle(dict({ 'a.weight': tensor('0', [2]) })), 'data/0': huge }),
  );
  const evil = reduce(global('os', 'system'), text('touch evil-was-here'));
  writeFileSync(at('evil.pth'), torchZip({ 'data.pkl': pickle(dict({ a: evil })) }));
  writeFileSync(at('cut.pth'), torchGolden('edge_views.pth').subarray(0, 2000));
  writeFileSync(at('photo.jpg'), 'no weights');
  mkdirSync(at('shards'));
  const shard = 'model-00001-of-00001.safetensors';
  writeFileSync(at(`shards/${shard}`), tinySafetensors('noise_predictor'));
  const weightMap = { 'encoder.conv_in.weight': shard, 'encoder.conv_in.bias': shard };
  writeFileSync(
    at('shards/model.safetensors.index.json'),
    JSON.stringify({ weight_map: weightMap }),
  );
  mkdirSync(at('empty'));
  mkdirSync(at('a-folder.safetensors'));
  linkSync(at(`shards/${shard}`), at('hard-link.safetensors'));
  symlinkSync(`shards/${shard}`, at('soft-link.safetensors'));
  sparse('large.safetensors', 256); // 1 GB
  sparse('enormous.safetensors', 1 << 21); // 8 TB
});
afterAll(remove);

describe('writes', () => {
  test('the noise predictor of PyTorch as f16, and says so', async () => {
    const { code, stdout } = await convert('np.pth', 'new/np.safetensors', '--json');
    expect(code).toBe(0);
    const expected = tinySafetensors('noise_predictor');
    expect(readFileSync(at('new/np.safetensors')).equals(expected)).toBe(true);
    expect(eventsOf(stdout).filter(({ event }) => event === 'result')).toEqual([
      {
        event: 'result',
        input: 'np.pth',
        output: 'new/np.safetensors',
        dtype: 'f16',
        tensors: 164,
        bytes: expected.length,
      },
    ]);
    expect(filesIn(at('new'))).toEqual(['np.safetensors']);
  });

  test('f32, or the types there are', async () => {
    const folder = nodeFolder(cwd);
    const dtypes: Record<string, unknown> = {};
    for (const dtype of ['f16', 'f32', 'keep']) {
      const { code, stdout } = await convert('views.pt', 'views.safetensors', '--dtype', dtype);
      expect(code).toBe(0);
      expect(stdout).toMatch(/^views\.safetensors {2}12 tensors, [\d,]+ bytes\n$/);
      await using file = await openFile(folder, 'views.safetensors');
      const types = ['e_bf16', 'f_int64', 'i_double'].map((name) => file.tensors.get(name)?.dtype);
      dtypes[dtype] = types;
    }
    expect(dtypes).toEqual({
      f16: ['F16', 'I64', 'F16'],
      f32: ['F32', 'I64', 'F32'],
      keep: ['BF16', 'I64', 'F64'],
    });
  });

  test('a component folder; its config stays where it is', async () => {
    expect((await convert(join(NANO, 'unet'), 'unet.safetensors', '--dtype', 'keep')).code).toBe(0);
    await using before = await openCheckpoint(nodeFolder(join(NANO, 'unet')));
    await using after = await openFile(nodeFolder(cwd), 'unet.safetensors');
    expect([...after.tensors.keys()].toSorted()).toEqual([...before.tensors.keys()].toSorted());
    for (const name of before.tensors.keys()) {
      expect(
        Buffer.compare(
          await readAll(after.tensors.get(name)!),
          await readAll(before.tensors.get(name)!),
        ),
        name,
      ).toBe(0);
    }
  });

  test('shards as one file, from the index or from the folder', async () => {
    for (const input of ['shards/model.safetensors.index.json', 'shards']) {
      expect((await convert(input, 'one.safetensors')).code).toBe(0);
      await using file = await openFile(nodeFolder(cwd), 'one.safetensors');
      expect([...file.tensors.keys()].toSorted()).toEqual([
        'encoder.conv_in.bias',
        'encoder.conv_in.weight',
      ]);
    }
  });

  test('nothing when interrupted', { timeout: 60_000 }, async () => {
    const before = filesIn(cwd);
    let isTold = false;
    const ended = await invsr(['weights', 'convert', 'large.safetensors', 'out.safetensors'], {
      cwd,
      onStderr: (text, child) => {
        if (isTold || !text.includes('converting, 10 %')) return;
        // Once: another signal may meet a process that has taken its handlers down.
        isTold = true;
        child.kill('SIGINT');
      },
    });
    expectRefusal(ended, 130, /interrupted/);
    expect(filesIn(cwd)).toEqual(before);
  });
});

const REFUSED: Readonly<Record<string, readonly [args: string, sentence: RegExp]>> = {
  'a call in a pickle': [
    'evil.pth out.safetensors',
    /evil\.pth: its pickle asks for os\.system, which no weights need and is not run/,
  ],
  'a damaged file': ['cut.pth out.safetensors', /cut\.pth: .*no zip directory.*cut short/],
  'a value beyond f16': [
    'huge.pth out.safetensors',
    /huge\.pth: a\.weight has the value 65520, more than F16 can hold; convert it to f32/,
  ],
  'no such file': ['nowhere.pth out.safetensors', /cannot read nowhere\.pth: no such file/],
  'a picture': ['photo.jpg out.safetensors', /photo\.jpg: expected a \.pth, .* or a folder/],
  'a folder without weights': ['empty out.safetensors', /empty: no weights; looked for .*\.pth/],
  'another output': ['np.pth out.bin', /out\.bin has the extension \.bin, expected \.safetensors/],
  'an output that is a folder': ['np.pth a-folder.safetensors', /is a folder; give a file in it/],
  'an output below a file': ['np.pth np.pth/out.safetensors', /np\.pth is a file, not a folder/],
  'the input as output': [
    'large.safetensors large.safetensors',
    /large\.safetensors is read as a part of large\.safetensors; give another output/,
  ],
  'a shard as output': [
    'shards shards/model-00001-of-00001.safetensors',
    /is read as a part of shards; give another output/,
  ],
  'a hard link to a shard': ['shards hard-link.safetensors', /is read as a part of shards/],
  'a link to a shard': [
    'shards/model.safetensors.index.json soft-link.safetensors',
    /is read as a part of shards/,
  ],
  'an unknown type': ['np.pth out.safetensors --dtype int8', /Allowed choices are f16, f32, keep/],
  'no output': ['np.pth', /missing required argument 'out'/],
};

describe('refuses, and leaves everything as it was', () => {
  test.each(Object.entries(REFUSED))('%s', { timeout: 20_000 }, async (_, [args, sentence]) => {
    const before = filesIn(cwd);
    expectRefusal(await convert(...args.split(' ')), 2, sentence);
    expect(filesIn(cwd)).toEqual(before);
    expect(existsSync(at('evil-was-here'))).toBe(false);
  });

  test('where there is no room', async () => {
    const before = filesIn(cwd);
    expectRefusal(
      await convert('enormous.safetensors', 'out.safetensors'),
      1,
      /out\.safetensors needs about 4\.40 TB of disk while it is made, .* are free; choose another/,
    );
    expect(filesIn(cwd)).toEqual(before);
  });
});
