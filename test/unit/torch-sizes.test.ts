/** The configs and parameter counts that bench/peers/torch_invsr.py builds its networks from are ours. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sizeOf } from '../../src/engine/kernel.ts';
import { SIZES } from '../../src/invsr/synthetic-configs.ts';
import { weightKeys } from '../../src/invsr/synthetic-model.ts';

const NETWORKS = ['unet', 'vae', 'noise_predictor'] as const;

interface TorchSizes {
  readonly configs: Readonly<Record<string, Readonly<Record<string, object>>>>;
  readonly parameters: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

const torch = JSON.parse(readFileSync('bench/peers/torch-sizes.json', 'utf8')) as TorchSizes;

test.each(['full', 'tiny'] as const)('%s', (size) => {
  for (const network of NETWORKS) {
    expect(SIZES[size][network]).toMatchObject(torch.configs[size]![network]!);
    const shapes = Object.values(weightKeys(network, SIZES[size]));
    const count = shapes.reduce((sum, shape) => sum + sizeOf(shape), 0);
    expect(torch.parameters[size]![network]).toBe(count);
  }
});
