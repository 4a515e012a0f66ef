/**
 * How large a tensor may be that a node computes whole: up to what the device binds, or less where memory is to
 * be saved. Larger ones are computed in bands (band.ts), which few graphs need.
 */
import { byteLength } from '../engine/kernel.ts';
import { type Graph, inputsOf } from './graph.ts';
import { PART_BYTES } from './slots.ts';

/** WebGPU's default maxStorageBufferBindingSize, which every device has. */
export const DEFAULT_MAX_BINDING_BYTES = 2 ** 27;
/** A graph without a tensor above this is not worth the trouble of saving memory. */
const LARGE_BYTES = 32 * 2 ** 20;

export interface BandOptions {
  /** The device's maxStorageBufferBindingSize. @default the least that a device has */
  readonly maxBindingBytes: number;
  /** Bands wherever they save memory, not only where a binding asks for them: more dispatches. @default true */
  readonly compact: boolean;
}

export interface Limits {
  /** What a dispatch may bind of one tensor. */
  readonly bindingBytes: number;
  /** Larger tensors are computed in bands, … */
  readonly wholeBytes: number;
  /** … and lie in parts of at most this. */
  readonly partBytes: number;
}

export function limitsOf({ nodes }: Graph, { maxBindingBytes, compact }: BandOptions): Limits {
  const isLarge = compact && nodes.some(({ output }) => byteLength(output) > LARGE_BYTES);
  const partBytes = Math.min(PART_BYTES, maxBindingBytes);
  return {
    bindingBytes: maxBindingBytes,
    wholeBytes: isLarge ? partBytes : maxBindingBytes,
    partBytes,
  };
}

/** Whether some tensor is too large to be computed whole. */
export function needsBands(graph: Graph, options: BandOptions): boolean {
  const { wholeBytes } = limitsOf(graph, options);
  return graph.nodes
    .flatMap((node) => [node.output, ...inputsOf(node).map(([, tensor]) => tensor)])
    .some((tensor) => byteLength(tensor) > wholeBytes);
}
