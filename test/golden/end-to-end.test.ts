/** The whole path against the official sampler, given its random draws: tiny models and nano. */
import { afterAll, beforeAll, describe, test } from 'vitest';
import type { EngineContext } from '../../src/engine/context.ts';
import type { UpscaleSettings } from '../../src/invsr/upscale-settings.ts';
import type { Folder } from '../../src/weights/folder.ts';
import { nodeFolder } from '../../src/weights/node-file.ts';
import { comparePath, ON_SWIFTSHADER, parityFile, pixelsOf, TINY } from '../harness/golden-path.ts';
import { type Golden, openGolden } from '../harness/goldens.ts';
import { openTestContext, RUNS } from '../harness/networks.ts';
import { isRecording } from '../harness/numerics.ts';
import { tinyModel } from '../harness/synthetic.ts';
import { type DumpedResult, upscaleOnce } from '../harness/upscale-once.ts';

const isCut = (adapter: string): boolean => adapter === 'swiftshader' && !isRecording;

describe.each(RUNS)('$adapter $precision', ({ adapter, precision }) => {
  let context: EngineContext;
  let close: () => void;
  beforeAll(async () => {
    ({ context, close } = await openTestContext(adapter));
  });
  afterAll(() => close());

  describe('tiny', () => {
    const names = isCut(adapter) ? ON_SWIFTSHADER : Object.keys(TINY);
    test.each(names)('%s', async (name) => {
      const golden = await openGolden(`networks/${name}`);
      const options = { precision, tile: 32, ...TINY[name] };
      const dumped = await run(context, golden, tinyModel(), options);
      comparePath(golden, dumped, { what: `tiny ${name}`, adapter, precision }, options);
    });
  });

  describe('nano', () => {
    const runs = [
      ['still-life-s1', [200]],
      ['still-life-s3', [200, 100, 50]],
      ['still-life-s5', [250, 200, 150, 100, 50]],
      ['garden-s1', [200]],
    ] as const;
    test.each(isCut(adapter) ? [runs[0]] : runs)('%s', async (name, timesteps) => {
      const golden = await openGolden(`nano/${name}`);
      const dumped = await run(context, golden, nodeFolder('weights/invsr-nano'), {
        precision,
        timesteps,
      });
      comparePath(golden, dumped, { what: `nano ${name}`, adapter, precision });
    });
  });
});

// For docs/numerics.md: software adapters compile a GPU's programs for minutes. In every run the plans that GPUs get are
// held to those of software adapters, stage by stage (test/golden/rewrites.test.ts).
describe.runIf(isRecording)('the kernels of GPUs', () => {
  test.each(RUNS)('tiny e2e_s2 on $adapter $precision', async ({ adapter, precision }) => {
    const { context, close } = await openTestContext(adapter, 'alu');
    try {
      const golden = await openGolden('networks/e2e_s2');
      const options = { precision, tile: 32, timesteps: [200, 100] };
      const dumped = await run(context, golden, tinyModel(), options);
      const row = { what: 'tiny e2e_s2, GPU kernels', adapter, precision };
      comparePath(golden, dumped, row);
    } finally {
      close();
    }
  });
});

const run = (
  context: EngineContext,
  golden: Golden,
  folder: Folder,
  options: UpscaleSettings,
): Promise<DumpedResult> =>
  upscaleOnce(context, {
    folder,
    picture: pixelsOf(golden),
    options: { official: true, ...options },
    parity: parityFile(golden),
  });
