/** The tiny noise predictor as PyTorch saved it is the one whose numbers the other goldens are. */
import { expect, test } from 'vitest';
import { checkModel } from '../../src/invsr/check-model.ts';
import { openModel } from '../../src/invsr/model.ts';
import { openCheckpoint } from '../../src/weights/checkpoint.ts';
import { memoryFolder, type Folder } from '../../src/weights/folder.ts';
import { toHalf } from '../../src/weights/half.ts';
import { anyPrompt, tinyModel } from '../harness/synthetic.ts';
import { genuineNoisePredictor, GENUINE_FILES } from '../harness/torch-files.ts';
import { readAll } from '../harness/read-all.ts';

/** The tiny model with a .pth beside the noise predictor's config and nothing else. */
async function withTorchFile(file: Uint8Array<ArrayBuffer>): Promise<Folder> {
  const tiny = tinyModel();
  const config = await tiny.folder('noise_predictor').readText('config.json');
  const predictor = memoryFolder(
    'noise_predictor',
    new Map([
      ['config.json', new TextEncoder().encode(config)],
      ['noise_predictor.pth', file],
    ]),
  );
  return { ...tiny, folder: (name) => (name === predictor.name ? predictor : tiny.folder(name)) };
}

test.each(GENUINE_FILES)('%s.pth: the very same tensors', async (name) => {
  const folder = await withTorchFile(await genuineNoisePredictor(name));
  await using expected = await openCheckpoint(tinyModel().folder('noise_predictor'));
  await using actual = await openCheckpoint(folder.folder('noise_predictor'));
  expect([...actual.tensors.keys()].toSorted()).toEqual([...expected.tensors.keys()].toSorted());
  for (const [key, { shape }] of expected.tensors) {
    const { dtype, shape: saved } = actual.tensors.get(key)!;
    const bytes = await readAll(actual.tensors.get(key)!);
    // The F32 file holds f16 values: rounding changes none of them.
    const half = dtype === 'F32' ? toHalf(new Float32Array(bytes.buffer)).buffer : bytes.buffer;
    expect(saved).toEqual(shape);
    expect(Buffer.from(half).equals(await readAll(expected.tensors.get(key)!)), key).toBe(true);
  }

  const model = await openModel(folder, anyPrompt);
  expect(() => checkModel(model, { tile: 16, timesteps: [200], cfg: 1 })).not.toThrow();
  await model.close();
});
