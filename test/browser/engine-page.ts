/**
 * The engine in a page: what engine.test.ts calls from outside as `window.engine`. Arguments and results
 * are plain data and typed arrays, for they go through the browser's debugging protocol.
 */
import { capabilitiesOf, targetOf } from '../../src/engine/device.ts';
import type { Target } from '../../src/engine/kernel.ts';
import { openContext } from '../../src/graph/open-context.ts';
import { loadKernels } from '../../src/kernels/on-demand.ts';
import type { NamedDump } from '../../src/invsr/parity.ts';
import type { PixelsResult } from '../../src/invsr/upscale-pixels.ts';
import { textsFor } from '../harness/all-kernels.ts';
import type { HostData } from '../harness/run-kernel.ts';
import { type OneUpscale, upscaleOnce } from '../harness/upscale-once.ts';
import { type KernelError, measureKernel, runCase } from '../kernels/measure-kernel.ts';
import { REGISTRY } from '../kernels/registry.ts';
import { openDevice, servedFolder } from './page.ts';
import type { ServedModel } from './site.ts';

declare global {
  interface Window {
    engine: typeof engine;
  }
}

const engine = {
  /** What one kernel computes, on a CPU adapter's target. */
  async output(file: string, name: string): Promise<HostData> {
    const device = await openDevice();
    const [test] = REGISTRY[file]!.filter((one) => one.name === name);
    const target = targetOf(capabilitiesOf(device));
    await loadKernels(target);
    const { actual } = await runCase(device, test!, test!.kernel(target));
    device.destroy();
    return actual;
  },

  /** The error of every case with these names among those of one file. */
  async conformance(
    file: string,
    names: readonly string[],
    family: Target['family'],
  ): Promise<(KernelError & { readonly name: string })[]> {
    const device = await openDevice();
    const target = { ...targetOf(capabilitiesOf(device)), family };
    // Cases look at what other kinds of targets have, too.
    await loadKernels({ ...target, family: 'cpu' });
    const errors = [];
    for (const test of REGISTRY[file]!.filter(({ name }) => names.includes(name))) {
      errors.push({
        name: test.name,
        ...(await measureKernel(device, test, test.kernel(target))),
      });
    }
    device.destroy();
    return errors;
  },

  /** What the compiler has against any kernel for a target, as its device has it. */
  async refusals(target: Target): Promise<{ readonly texts: number; readonly refused: string[] }> {
    const device = await openDevice();
    // As in conformance; a page may be asked for GPUs alone.
    await loadKernels({ ...target, family: 'cpu' });
    const texts = await textsFor(target);
    const refused: string[] = [];
    for (const [name, code] of texts) {
      const module = device.createShaderModule({ code });
      const { messages } = await module.getCompilationInfo();
      const [error] = messages.filter(({ type }) => type === 'error');
      if (error) refused.push(`${name}: ${error.message}`);
    }
    device.destroy();
    return { texts: texts.size, refused };
  },

  async upscale(
    model: ServedModel,
    given: Omit<OneUpscale, 'folder'>,
  ): Promise<{
    readonly result: PixelsResult;
    readonly dump: readonly (readonly [string, NamedDump])[];
  }> {
    const device = await openDevice();
    const context = await openContext(device);
    try {
      const folder = servedFolder(model);
      const { result, dump } = await upscaleOnce(context, { folder, ...given });
      return { result, dump: [...dump] };
    } finally {
      context.dispose();
      device.destroy();
    }
  },
};

window.engine = engine;
