import {
  f32,
  format,
  gridOf,
  type Kernel,
  paramsWgsl,
  type Target,
  type TensorType,
  u32,
} from '../engine/kernel.ts';
import { enableF16, readWgsl, writeWgsl } from './storage.ts';
export function attention(
  { q, k, v }: { readonly q: TensorType; readonly k: TensorType; readonly v: TensorType },
  { heads }: { readonly heads: number },
  target: Target,
): Kernel {
  const [n = 0, lq = 0, c = 0] = q.shape;
  const [nk = 0, lk = 0] = k.shape;
  const d = c / heads;
  void v;
  const params = {
    n: u32(n),
    lq: u32(lq),
    lk: u32(lk),
    heads: u32(heads),
    kvBatch: u32(nk === 1 ? 0 : 1),
    scale: f32(1 / Math.sqrt(d)),
  };
  return {
    name: 'attention',
    variant: `${format(q)} ${lk}`,
    bindings: { q: 1, k: 2, v: 3 },
    params,
    output: { binding: 4, type: q },
    workgroups: gridOf(Math.ceil(lq / 8) * heads * n),
    cost: { flops: 4 * n * lq * lk * c, bytes: 0 },
    wgsl: `${enableF16(target, q.dtype, k.dtype)}
${paramsWgsl(params)}
${readWgsl('q', 1, q.dtype, target)}
${readWgsl('k', 2, k.dtype, target)}
${readWgsl('v', 3, v.dtype, target)}
${writeWgsl('y', 4, q.dtype, target)}
const D: u32 = ${d / 4};
@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) g: vec3u, @builtin(local_invocation_index) lane: u32) {
  let id = w.y * g.x + w.x;
  let blocks = (params.lq + 7u) / 8u;
  let row = (id % blocks) * 8u + lane; let head = (id / blocks) % params.heads; let b = id / blocks / params.heads;
  if (b >= params.n || row >= params.lq) { return; }
  let groups = params.heads * D;
  var qr: array<vec4f, D>; var o: array<vec4f, D>;
  for (var i = 0u; i < D; i++) { qr[i] = load_q((b * params.lq + row) * groups + head * D + i) * params.scale; }
  var m = -3.0e38; var l = 0.0;
  for (var j = 0u; j < params.lk; j++) {
    let base = (b * params.kvBatch * params.lk + j) * groups + head * D;
    var s = 0.0; for (var i = 0u; i < D; i++) { s += dot(qr[i], load_k(base + i)); }
    let mn = max(m, s); let a = exp(m - mn); let p = exp(s - mn); m = mn; l = l * a + p;
    for (var i = 0u; i < D; i++) { o[i] = o[i] * a + p * load_v(base + i); }
  }
  for (var i = 0u; i < D; i++) { store_y((b * params.lq + row) * groups + head * D + i, o[i] / l); }
}`,
  };
}
