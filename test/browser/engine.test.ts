/**
 * The engine in real browsers: kernels against their references, whole paths against the official code's
 * numbers and against Node on the same adapter: SwiftShader, and lavapipe where a browser has that.
 */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Target } from '../../src/engine/kernel.ts';
import type { UpscalerOptions } from '../../src/invsr/upscaler.ts';
import { nodeFolder } from '../../src/weights/node-file.ts';
import { concatBytes } from '../../src/weights/safetensors-write.ts';
import { errorsOf } from '../harness/browsers.ts';
import { adapterNames, openTestDevice, type TestDevice } from '../harness/device.ts';
import { comparePath, parityFile, pixelsOf, TINY } from '../harness/golden-path.ts';
import { openGolden } from '../harness/goldens.ts';
import { inAllBrowsers } from '../harness/in-browsers.ts';
import { openTestContext, psnr } from '../harness/networks.ts';
import { type DumpedResult, type OneUpscale, upscaleOnce } from '../harness/upscale-once.ts';
import type { KernelCase } from '../kernels/cases.ts';
import { runCase } from '../kernels/measure-kernel.ts';
import { REGISTRY } from '../kernels/registry.ts';
import { type ServedModel, serveSite, type Site } from './site.ts';

let site: Site;
beforeAll(async () => {
  site = await serveSite('engine-page.ts');
});
afterAll(() => site?.close());

/** What a browser's device on SwiftShader is like. */
const TARGET: Target = { family: 'cpu', shaderF16: false, subgroupSize: 4 };

/**
 * Of each kind of kernel the costliest cases below a limit: they have tiles, remainders and edges. Kernels
 * made for GPUs compute the same things slowly here. All cases run in Node (test/kernels).
 */
const AFFORDABLE = {
  cpu: { count: 2, work: 2e6, workgroups: 1000 },
  alu: { count: 1, work: 1e6, workgroups: 50 },
} as const;

function affordable(cases: readonly KernelCase[], family: 'cpu' | 'alu'): string[] {
  const limits = AFFORDABLE[family];
  const byKernel = new Map<string, { name: string; work: number }[]>();
  for (const test of cases) {
    if (test.families && !test.families.includes(family)) continue;
    const { name: kind, cost, workgroups } = test.kernel({ ...TARGET, family });
    const work = Math.max(cost.flops, cost.bytes);
    const [x, y, z] = workgroups;
    if (work > limits.work || x * y * z > limits.workgroups) continue;
    byKernel.set(kind, [...(byKernel.get(kind) ?? []), { name: test.name, work }]);
  }
  return [...byKernel.values()].flatMap((list) =>
    list
      .toSorted((a, b) => b.work - a.work)
      .slice(0, limits.count)
      .map(({ name }) => name),
  );
}

/** Two steps with guidance; padding and colours. */
const GOLDENS = ['e2e_cfg2_s2', 'e2e_pad20x27_wavelet'];

inAllBrowsers((browser, { isWhole, isFirefox, adapter }) => {
  let page: Page;
  let errors: readonly string[];
  beforeAll(async () => {
    page = await browser().newPage();
    errors = errorsOf(page);
    await page.goto(site.url);
    await page.waitForFunction(() => 'engine' in window);
  });
  afterAll(() => expect(errors).toEqual([]));

  /** As upscaleOnce in Node. */
  async function upscale(
    model: ServedModel,
    given: Omit<OneUpscale, 'folder'>,
  ): Promise<DumpedResult> {
    const { result, dump } = await page.evaluate(([of, what]) => window.engine.upscale(of, what), [
      model,
      given,
    ] as const);
    return { result, dump: new Map(dump) };
  }

  const families = isWhole ? (['cpu', 'alu'] as const) : (['cpu'] as const);
  describe.runIf(isWhole || isFirefox).each(families)('kernels of %s', (family) => {
    test.each(Object.keys(REGISTRY))('%s', async (file) => {
      const names = affordable(REGISTRY[file]!, family);
      const measured = await page.evaluate(
        ([of, which, kind]) => window.engine.conformance(of, which, kind),
        [file, names, family] as const,
      );
      expect(measured.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
      const wrong = measured.filter(({ error, limit }) => !(error <= limit));
      expect(wrong).toEqual([]);
    });
  });

  test.each(GOLDENS)('tiny %s', async (name) => {
    const golden = await openGolden(`networks/${name}`);
    const precision = adapter === 'lavapipe' ? 'f16' : 'f32';
    const options: UpscalerOptions = { official: true, precision, tile: 32, ...TINY[name] };
    const parity = parityFile(golden);
    const dumped = await upscale(site.tiny, { picture: pixelsOf(golden), options, parity });
    comparePath(golden, dumped, { what: `tiny ${name}`, adapter: 'page', precision }, options);
  });

  describe.runIf(adapterNames.includes(adapter))('as in Node', () => {
    let inNode: TestDevice;
    beforeAll(async () => {
      inNode = await openTestDevice(adapter);
    });
    afterAll(() => inNode?.device.destroy());

    const noises = REGISTRY['normal-noise']!.map((one) => [one.name, one] as const);
    test.each(noises)('bit for bit: %s', async (name, one) => {
      const inPage = await page.evaluate(([of]) => window.engine.output('normal-noise', of), [
        name,
      ] as const);
      const { actual } = await runCase(inNode.device, one, one.kernel(inNode.target));
      expect(bitsOf(inPage)).toEqual(bitsOf(actual));
    });

    test('nano, before rounding to 8 bits', async () => {
      const { pixels, width } = pixelsOf(await openGolden('nano/still-life-s1'));
      const side = 64;
      const rows = Array.from({ length: side }, (_, y) =>
        pixels.subarray(4 * width * y, 4 * (width * y + side)),
      );
      const picture = { width: side, height: side, pixels: concatBytes(rows) };
      const given = { picture, options: { tile: side } };
      const inPage = await upscale(site.nano, given);
      const { context, close } = await openTestContext(adapter);
      const folder = nodeFolder('weights/invsr-nano');
      const node = await upscaleOnce(context, { folder, ...given }).finally(close);
      const finalOf = ({ dump }: DumpedResult): Float32Array => dump.get('final')!.data;
      expect(psnr(finalOf(inPage), finalOf(node), 1)).toBeGreaterThanOrEqual(MIN_PSNR_TO_NODE);
    }, 300_000);
  });
});

/** What is promised; before rounding, for two roundings to 8 bits alone would be 48 dB off in places. */
const MIN_PSNR_TO_NODE = 60;

const bitsOf = ({ buffer, byteOffset, length }: Float32Array | Uint32Array): number[] => [
  ...new Uint32Array(buffer, byteOffset, length),
];
