/** Weights by their checkpoint names, as models ask for them while a graph is built. */
import type { Shape } from '../engine/kernel.ts';
import type { Layout } from '../weights/layout.ts';
import type { Tensor } from './graph.ts';

/** Tensors under one checkpoint prefix: `w.at('attn1')` narrows it, `w.get('weight', …)` reads one. */
export interface Weights {
  /** Display path, e.g. `unet.mid_block.attentions.0`. */
  readonly path: string;
  at(path: string): Weights;
  has(name: string): boolean;
  /** Shape in the checkpoint. */
  shape(name: string): Shape;
  get(name: string, layout: Layout, dtype?: 'f16' | 'f32'): Tensor;
}

/** What the builder needs to know of a checkpoint: names and shapes. */
export type CheckpointShapes = ReadonlyMap<string, { readonly shape: Shape }>;

/** A checkpoint lacks a tensor, or holds it in another shape than the config says. */
export class WeightError extends Error {
  override readonly name = 'WeightError';
}

/** A weight's key is `<component>/<name in the checkpoint>`. */
const keyOf = (component: string, name: string): string => `${component}/${name}`;

export function splitKey(key: string): { readonly component: string; readonly name: string } {
  const slash = key.indexOf('/');
  return { component: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** Makes the tensor of one weight. */
type MakeWeight = (key: string, layout: Layout, dtype: 'f16' | 'f32', shape: Shape) => Tensor;

/** The tensors of one checkpoint; `component` prefixes keys and paths. */
export function weightsOf(component: string, shapes: CheckpointShapes, make: MakeWeight): Weights {
  const scope = (prefix: string): Weights => {
    const full = (name: string): string => (prefix ? `${prefix}.${name}` : name);
    const path = prefix ? `${component}.${prefix}` : component;
    const shape = (name: string): Shape => {
      const entry = shapes.get(full(name));
      if (entry) return entry.shape;
      throw new WeightError(
        `${component}: the checkpoint has no tensor "${full(name)}", which its config.json calls for; check that both come from the same model`,
      );
    };
    return {
      path,
      at: (inner) => scope(full(inner)),
      has: (name) => shapes.has(full(name)),
      shape,
      get: (name, layout, dtype = 'f16') =>
        make(keyOf(component, full(name)), layout, dtype, shape(name)),
    };
  };
  return scope('');
}
