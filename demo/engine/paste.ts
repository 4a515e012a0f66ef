/**
 * Puts a picture into a texture by a render pass with blending. At edges that have neighbours alpha rises
 * from 0 to 1 over some pixels, so that what was made apart has no seam.
 */
import { FORMAT } from './texture.ts';

const WGSL = /* wgsl */ `
struct Params {
  origin: vec2f,  // of the part in the target; may lie outside
  size: vec2f,    // of the part
  target_size: vec2f,
  fade_start: vec2f,  // pixels over which its left and top edges fade in; 0: not at all
  fade_end: vec2f,    // right and bottom
}
@group(0) @binding(0) var part: texture_2d<f32>;
@group(0) @binding(1) var<uniform> params: Params;

@vertex fn corner(@builtin(vertex_index) i: u32) -> @builtin(position) vec4f {
  let unit = vec2f(f32(i & 1u), f32(i >> 1u));
  let at = (params.origin + unit * params.size) / params.target_size;
  return vec4f(at.x * 2.0 - 1.0, 1.0 - at.y * 2.0, 0.0, 1.0);
}

/** 0 at the edge, 1 from \`fade\` pixels on. */
fn rise(pixels: vec2f, fade: vec2f) -> vec2f {
  return select(smoothstep(vec2f(), max(fade, vec2f(1.0)), pixels), vec2f(1.0), fade == vec2f());
}

@fragment fn paste(@builtin(position) at: vec4f) -> @location(0) vec4f {
  let inside = at.xy - params.origin;
  let both = min(rise(inside, params.fade_start), rise(params.size - inside, params.fade_end));
  let alpha = min(both.x, both.y);
  return vec4f(textureLoad(part, vec2i(inside), 0).rgb * alpha, alpha);
}
`;

type Pair = readonly [number, number];

/** In pixels of the textures. */
export interface Place {
  readonly origin: Pair;
  readonly fadeStart: Pair;
  readonly fadeEnd: Pair;
}

export type Paste = (part: GPUTexture, target: GPUTexture, place: Place) => void;

/** Compiles it. What it gives queues its work as it is called. */
export async function createPaste(device: GPUDevice): Promise<Paste> {
  const label = 'page/paste';
  const module = device.createShaderModule({ label, code: WGSL });
  const over: GPUBlendComponent = { srcFactor: 'one', dstFactor: 'one-minus-src-alpha' };
  const pipeline = await device.createRenderPipelineAsync({
    label,
    layout: 'auto',
    vertex: { module, entryPoint: 'corner' },
    primitive: { topology: 'triangle-strip' },
    fragment: {
      module,
      entryPoint: 'paste',
      targets: [{ format: FORMAT, blend: { color: over, alpha: over } }],
    },
  });
  return (part, target, { origin, fadeStart, fadeEnd }) => {
    const sizes = [part.width, part.height, target.width, target.height];
    const values = Float32Array.of(...origin, ...sizes, ...fadeStart, ...fadeEnd);
    const params = device.createBuffer({
      label,
      size: values.byteLength,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
    device.queue.writeBuffer(params, 0, values);
    const encoder = device.createCommandEncoder({ label });
    const pass = encoder.beginRenderPass({
      colorAttachments: [{ view: target.createView(), loadOp: 'load', storeOp: 'store' }],
    });
    pass.setPipeline(pipeline);
    const entries = [
      { binding: 0, resource: part.createView() },
      { binding: 1, resource: { buffer: params } },
    ];
    const layout = pipeline.getBindGroupLayout(0);
    pass.setBindGroup(0, device.createBindGroup({ label, layout, entries }));
    pass.draw(4);
    pass.end();
    device.queue.submit([encoder.finish()]);
    params.destroy(); // when the submit is done with it
  };
}
