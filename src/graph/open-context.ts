/** A device's context with the designs that its target needs. */
import { createContext, type EngineContext } from '../engine/context.ts';
import type { Target } from '../engine/kernel.ts';
import { loadDesigns } from '../kernels/on-demand.ts';

/** createContext (engine/context.ts), once kernels/on-demand.ts has what every plan for it calls for. */
export async function openContext(
  device: GPUDevice,
  options: Pick<Target, 'matrix' | 'designs'> = {},
): Promise<EngineContext> {
  const context = createContext(device, options);
  await loadDesigns(context.target);
  return context;
}
