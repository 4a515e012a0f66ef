/**
 * Storage bindings and their four-wide accessors. Arithmetic is always on `vec4f`; only here does
 * a kernel's WGSL know how elements are stored.
 *
 *   f32           array<vec4f>
 *   f16, native   array<vec4<f16>>    needs `enable f16`
 *   f16, packed   array<vec2u>        unpack2x16float / pack2x16float: works on every adapter, and
 *                                     halves the gathers on CPU rasterisers
 */
import type { DType, Target } from '../engine/kernel.ts';

/** True where f16 tensors are declared as packed u32 pairs. */
export const isPacked = (target: Target): boolean => target.family === 'cpu' || !target.shaderF16;

/** `enable f16;` where a tensor of these types is stored natively; must come first in the WGSL. */
export const enableF16 = (target: Target, ...dtypes: readonly (DType | undefined)[]): string =>
  dtypes.includes('f16') && !isPacked(target) ? 'enable f16;' : '';

function elementOf(dtype: DType, target: Target): string {
  if (dtype === 'u32') return 'vec4u';
  if (dtype === 'f32') return 'vec4f';
  return isPacked(target) ? 'vec2u' : 'vec4<f16>';
}

/** A read-only binding and `load_<name>(i: u32) -> vec4f`, i counting groups of four elements. */
export function readWgsl(name: string, binding: number, dtype: DType, target: Target): string {
  const element = elementOf(dtype, target);
  const value =
    element === 'vec2u'
      ? `vec4f(unpack2x16float(${name}[i].x), unpack2x16float(${name}[i].y))`
      : `vec4f(${name}[i])`;
  return `@group(0) @binding(${binding}) var<storage, read> ${name}: array<${element}>;
fn load_${name}(i: u32) -> vec4f { return ${value}; }`;
}

/** The output binding and `store_<name>(i: u32, value: vec4f)`. */
export function writeWgsl(name: string, binding: number, dtype: DType, target: Target): string {
  const element = elementOf(dtype, target);
  const value =
    element === 'vec2u'
      ? 'vec2u(pack2x16float(value.xy), pack2x16float(value.zw))'
      : `${element}(value)`;
  return `@group(0) @binding(${binding}) var<storage, read_write> ${name}: array<${element}>;
fn store_${name}(i: u32, value: vec4f) { ${name}[i] = ${value}; }`;
}

/**
 * What `load_<name>` would give of a value that `store_<name>` was given; where storage is f16 a driver may
 * give the value itself (lavapipe drops a conversion to f16 and back).
 */
export const storedWgsl = (name: string, dtype: DType, target: Target): string => {
  const element = elementOf(dtype, target);
  const value =
    element === 'vec2u'
      ? 'vec4f(unpack2x16float(pack2x16float(value.xy)), unpack2x16float(pack2x16float(value.zw)))'
      : `vec4f(${element}(value))`;
  return `fn stored_${name}(value: vec4f) -> vec4f { return ${value}; }`;
};

/** The output binding and `store_<name>(i: u32, value: vec2f)`, i counting pairs of elements. */
export function writePairsWgsl(
  name: string,
  binding: number,
  dtype: DType,
  target: Target,
): string {
  const packed = { element: 'u32', value: 'pack2x16float(value)' };
  const plain = dtype === 'f16' ? 'vec2<f16>' : 'vec2f';
  const { element, value } =
    dtype === 'f16' && isPacked(target) ? packed : { element: plain, value: `${plain}(value)` };
  return `@group(0) @binding(${binding}) var<storage, read_write> ${name}: array<${element}>;
fn store_${name}(i: u32, value: vec2f) { ${name}[i] = ${value}; }`;
}
