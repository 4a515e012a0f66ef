/**
 * The engine on somebody else's WebGPU, through test/browser/engine-page.ts: kernels against their
 * references, whole paths against the official code's numbers and against Node on the same driver.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Target } from '../../src/engine/kernel.ts';
import type { UpscaleSettings } from '../../src/invsr/upscale-settings.ts';
import { nodeFolder } from '../../src/weights/node-file.ts';
import { concatBytes } from '../../src/weights/safetensors-write.ts';
import type { ServedModel, Site } from '../browser/site.ts';
import type { KernelCase } from '../kernels/cases.ts';
import { runCase } from '../kernels/measure-kernel.ts';
import { REGISTRY } from '../kernels/registry.ts';
import type { Calls } from './calls.ts';
import { type AdapterName, adapterNames, openTestDevice, type TestDevice } from './device.ts';
import { comparePath, parityFile, pixelsOf, TINY } from './golden-path.ts';
import { openGolden } from './goldens.ts';
import { openTestContext, type Precision, psnr } from './networks.ts';
import { type DumpedResult, type OneUpscale, upscaleOnce } from './upscale-once.ts';

type CallEngine = Calls<Window['engine']>;

/**
 * Of each kind of kernel the costliest cases below a limit: they have tiles, remainders and edges. Kernels
 * made for GPUs compute the same things slowly here. All cases run in Node (test/kernels).
 */
const AFFORDABLE = {
  cpu: { count: 2, work: 2e6, workgroups: 1000 },
  alu: { count: 1, work: 1e6, workgroups: 50 },
} as const;

function affordable(cases: readonly KernelCase[], target: Target): string[] {
  const { family } = target;
  const limits = AFFORDABLE[family];
  const byKernel = new Map<string, { name: string; work: number }[]>();
  for (const test of cases) {
    if (test.families && !test.families.includes(family)) continue;
    const { name: kind, cost, workgroups } = test.kernel(target);
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
export const GOLDENS: readonly string[] = ['e2e_cfg2_s2', 'e2e_pad20x27_wavelet'];

/** What is promised; before rounding, for two roundings to 8 bits alone would be 48 dB off in places. */
const MIN_PSNR_TO_NODE = 60;

export interface KernelTests {
  readonly call: CallEngine;
  /** What its device is like; of the families, each is tried. */
  readonly target: Omit<Target, 'family'>;
  readonly families: readonly Target['family'][];
}

/** Against their references. */
export function kernelTests({ call, target, families }: KernelTests): void {
  describe.each(families)('kernels of %s', (family) => {
    test.each(Object.keys(REGISTRY))('%s', async (file) => {
      const names = affordable(REGISTRY[file]!, { ...target, family });
      const measured = await call('conformance', file, names, family);
      expect(measured.map((one) => one.name).toSorted()).toEqual(names.toSorted());
      const wrong = measured.filter(({ error, limit }) => !(error <= limit));
      expect(wrong).toEqual([]);
    });
  });
}

export interface PathTests {
  readonly call: CallEngine;
  readonly site: () => Site;
  /** Whose driver it is on. */
  readonly adapter: AdapterName;
  /** For records: what runs it. */
  readonly name: string;
  readonly goldens: readonly string[];
  readonly precision: Precision;
}

/** Whole paths against the official code's numbers and against Node. */
export function pathTests({ call, site, adapter, name, goldens, precision }: PathTests): void {
  /** As upscaleOnce in Node. */
  async function upscale(
    model: ServedModel,
    given: Omit<OneUpscale, 'folder'>,
  ): Promise<DumpedResult> {
    const { result, dump } = await call('upscale', model, given);
    return { result, dump: new Map(dump) };
  }

  test.each(goldens)('tiny %s', async (golden) => {
    const expected = await openGolden(`networks/${golden}`);
    const options: UpscaleSettings = { official: true, tile: 32, precision, ...TINY[golden] };
    const parity = parityFile(expected);
    const dumped = await upscale(site().tiny, { picture: pixelsOf(expected), options, parity });
    comparePath(expected, dumped, { what: `tiny ${golden}`, adapter: name, precision }, options);
  });

  describe.runIf(adapterNames.includes(adapter))('as in Node', () => {
    let inNode: TestDevice;
    beforeAll(async () => {
      inNode = await openTestDevice(adapter);
    });
    afterAll(() => inNode?.device.destroy());

    const noises = REGISTRY['normal-noise']!.map((one) => [one.name, one] as const);
    test.each(noises)('bit for bit: %s', async (of, one) => {
      const there = await call('output', 'normal-noise', of);
      const { actual } = await runCase(inNode.device, one, one.kernel(inNode.target));
      expect(bitsOf(there)).toEqual(bitsOf(actual));
    });

    test('nano, before rounding to 8 bits', async () => {
      const { pixels, width } = pixelsOf(await openGolden('nano/still-life-s1'));
      const side = 64;
      const rows = Array.from({ length: side }, (_, y) =>
        pixels.subarray(4 * width * y, 4 * (width * y + side)),
      );
      const picture = { width: side, height: side, pixels: concatBytes(rows) };
      const given = { picture, options: { tile: side, precision } };
      const there = await upscale(site().nano, given);
      const { context, close } = await openTestContext(adapter);
      const folder = nodeFolder('weights/invsr-nano');
      const node = await upscaleOnce(context, { folder, ...given }).finally(close);
      const finalOf = ({ dump }: DumpedResult): Float32Array => dump.get('final')!.data;
      expect(psnr(finalOf(there), finalOf(node), 1)).toBeGreaterThanOrEqual(MIN_PSNR_TO_NODE);
    }, 300_000);
  });
}

const bitsOf = ({ buffer, byteOffset, length }: Float32Array | Uint32Array): number[] => [
  ...new Uint32Array(buffer, byteOffset, length),
];
