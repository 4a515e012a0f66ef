/**
 * Multiply-adds in registers: what the adapter can do at most without memory.
 *
 *   y[i] = sum of CHAINS · 4 chains a ← a · factor + term, each `rounds` times over
 *
 * The chains are independent, so that latency hides behind them; factor and term are uniforms, so
 * that no compiler can foresee the result. f16 arithmetic where asked for.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  f32,
  type Kernel,
  MAX_WORKGROUPS_PER_DIMENSION,
  paramsWgsl,
  type Target,
  u32,
} from '../src/engine/kernel.ts';

const WORKGROUP_SIZE = 64;

export interface SpinOptions {
  /** @default 'f32' */
  readonly dtype?: 'f32' | 'f16';
  /** Independent vec4 chains of an invocation. Few where a core has few registers. */
  readonly chains?: number;
  readonly rounds?: number;
  readonly workgroups?: number;
  /** `fma()`; else `a * b + c`, which some drivers fuse and others compile better. @default true */
  readonly isFused?: boolean;
}

export function spinKernel(
  { shaderF16 }: Target,
  { dtype = 'f32', chains = 2, rounds = 256, workgroups = 1, isFused = true }: SpinOptions = {},
): Kernel {
  if (dtype === 'f16' && !shaderF16) throw new Error('no f16 arithmetic on this device');
  const params = { rounds: u32(rounds), factor: f32(0.999), term: f32(0.001) };
  const each = (line: (i: number) => string): string =>
    Array.from({ length: chains }, (_, i) => line(i)).join('\n');
  const step = (i: number): string =>
    isFused ? `    a${i} = fma(a${i}, factor, term);` : `    a${i} = a${i} * factor + term;`;
  const invocations = workgroups * WORKGROUP_SIZE;
  return {
    name: 'spin',
    variant: `${dtype} ${chains} chains${isFused ? ' fma' : ''}`,
    bindings: {},
    params,
    output: { binding: 1, type: { dtype: 'f32', shape: [invocations] } },
    workgroups: [Math.min(workgroups, MAX_WORKGROUPS_PER_DIMENSION), 1, 1],
    cost: { flops: invocations * rounds * chains * 4 * 2, bytes: 4 * invocations },
    wgsl: wgsl`
#if ${dtype === 'f16'}
enable f16;
#endif
${paramsWgsl(params)}
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(${WORKGROUP_SIZE})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let factor = vec4<${dtype}>(${dtype}(params.factor));
  let term = vec4<${dtype}>(${dtype}(params.term));
  let start = ${dtype}(id.x % 7u);
${each((i) => `  var a${i} = vec4<${dtype}>(start + ${dtype}(${i}), start, term.x, factor.x);`)}
  for (var round = 0u; round < params.rounds; round++) {
${each(step)}
  }
  var sum = vec4<${dtype}>();
${each((i) => `  sum += a${i};`)}
  y[id.x] = f32(sum.x + sum.y + sum.z + sum.w);
}
`,
  };
}
