/** bench/peers/graphs with the embedded model's weights put back are PyTorch's exports, byte for byte. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { readGraphs } from '../../bench/peers/graphs.ts';
import { fillSkeleton, skeletonOf } from '../../bench/peers/onnx.ts';

/** SHA-256 of the exports that `npm run bench -- pick-graphs` was given. */
const EXPORTS = {
  noise_predictor: 'ec4a80172942a55fa1a114ad214b4da2cd68e01cb67de8be4496242369a47b4f',
  'vae.encoder': '7d3b9728d64fdb06653fcfbf67033e2576d9f7cfabf6b55650da64ff086b3946',
  unet: '9497a635546f390f5aeb14ba03e7a08c7a2a04436d82c8edab66bf41ab0ffc0d',
  'vae.decoder': 'bbc6952e514f12260f5c745f16934c7ee8c6ad1bd47e6ad3ac766e4d76dffc96',
};

test('committed graphs', async () => {
  const graphs = await readGraphs();
  const hashes = [...graphs].map(([name, model]) => [
    name,
    createHash('sha256').update(model).digest('hex'),
  ]);
  expect(Object.fromEntries(hashes)).toEqual(EXPORTS);
});

test('an initialiser that is no weight stays in the skeleton', async () => {
  const model = (await readGraphs()).get('vae.decoder')!;
  const { skeleton, kept } = skeletonOf(model, []);
  expect(kept.length).toBe(108);
  expect(Buffer.compare(skeleton, model)).toBe(0);
  expect(
    Buffer.compare(
      fillSkeleton(skeleton, () => new Uint8Array()),
      model,
    ),
  ).toBe(0);
});
