/** The WGSL of every kernel case, and of every design that a target has to choose from. */
import type { Kernel, Target } from '../../src/engine/kernel.ts';
import { loadKernels } from '../../src/kernels/on-demand.ts';
import { REGISTRY } from '../kernels/registry.ts';

/** By case and design. */
export async function textsFor(target: Target): Promise<ReadonlyMap<string, string>> {
  await loadKernels(target);
  const texts = new Map<string, string>();
  for (const { name, kernel } of Object.values(REGISTRY).flat()) {
    const made: Kernel = kernel(target);
    texts.set(name, made.wgsl);
    const { key, candidates } = made.choice ?? { key: '', candidates: [] };
    for (const design of candidates) {
      texts.set(`${name} ${design}`, kernel({ ...target, designs: { [key]: design } }).wgsl);
    }
  }
  return texts;
}
