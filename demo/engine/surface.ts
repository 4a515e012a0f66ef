/**
 * The two pictures that the page shows: `before`, the photo [W, H], and `after`, four times its size,
 * transparent (premultiplied) where nothing is sharp yet.
 *
 * Parts are pasted by a render pass with blending: alpha rises from 0 at an edge inside the picture
 * to 1 `feather` pixels away from it, so that a part made with another seed has no seam.
 */
import type { Region } from '../../src/index.ts';
import type { Size } from '../state/regions.ts';

export const SCALE = 4;

const FORMAT: GPUTextureFormat = 'rgba8unorm';

const PASTE = /* wgsl */ `
struct Params { origin: vec2f, size: vec2f, whole: vec2f, feather: f32 }
@group(0) @binding(0) var part: texture_2d<f32>;
@group(0) @binding(1) var<uniform> params: Params;

@vertex fn corner(@builtin(vertex_index) i: u32) -> @builtin(position) vec4f {
  let unit = vec2f(f32(i & 1u), f32(i >> 1u));
  let at = (params.origin + unit * params.size) / params.whole;
  return vec4f(at.x * 2.0 - 1.0, 1.0 - at.y * 2.0, 0.0, 1.0);
}

@fragment fn paste(@builtin(position) at: vec4f) -> @location(0) vec4f {
  let inside = at.xy - params.origin;
  // Pixels from each edge; edges of the picture do not count.
  let far = vec2f(1e6);
  let start = select(inside, far, params.origin <= vec2f());
  let end = select(params.size - inside, far, params.origin + params.size >= params.whole);
  let nearest = min(min(start.x, start.y), min(end.x, end.y));
  let alpha = select(1.0, smoothstep(0.0, params.feather, nearest), params.feather > 0.0);
  return vec4f(textureLoad(part, vec2i(inside), 0).rgb * alpha, alpha);
}
`;

export class Surface {
  readonly size: Size;
  readonly before: GPUTexture;
  /** Undefined until there is something sharp. */
  after: GPUTexture | undefined;
  readonly #device: GPUDevice;
  readonly #paste: GPURenderPipeline;

  constructor(device: GPUDevice, image: ImageBitmap) {
    const { width, height } = image;
    this.#device = device;
    this.size = { width, height };
    this.before = device.createTexture({
      label: 'page/before',
      size: [width, height],
      format: FORMAT,
      usage:
        GPUTextureUsage.TEXTURE_BINDING |
        GPUTextureUsage.COPY_DST |
        GPUTextureUsage.RENDER_ATTACHMENT,
    });
    device.queue.copyExternalImageToTexture(
      { source: image },
      { texture: this.before, premultipliedAlpha: false },
      [width, height],
    );
    this.#paste = pastePipeline(device);
  }

  /** A new texture [4W, 4H], transparent. */
  blank(): GPUTexture {
    const { width, height } = this.size;
    return this.#device.createTexture({
      label: 'page/after',
      size: [SCALE * width, SCALE * height],
      format: FORMAT,
      usage:
        GPUTextureUsage.TEXTURE_BINDING |
        GPUTextureUsage.STORAGE_BINDING |
        GPUTextureUsage.RENDER_ATTACHMENT |
        GPUTextureUsage.COPY_SRC |
        GPUTextureUsage.COPY_DST,
    });
  }

  /** Shows another result; the one before is freed. */
  replace(after: GPUTexture | undefined): void {
    if (after === this.after) return;
    this.after?.destroy();
    this.after = after;
  }

  /** Puts `part`, four times the size of `region`, in its place. `feather` in pixels of the result. */
  paste(part: GPUTexture, region: Region, feather: number): void {
    this.after ??= this.blank();
    const params = this.#device.createBuffer({
      label: 'page/paste',
      size: 32,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
    const { x, y, width, height } = region;
    const values = [x, y, width, height, this.size.width, this.size.height].map((v) => SCALE * v);
    this.#device.queue.writeBuffer(params, 0, Float32Array.of(...values, feather, 0));
    const encoder = this.#device.createCommandEncoder({ label: 'page/paste' });
    const pass = encoder.beginRenderPass({
      colorAttachments: [{ view: this.after.createView(), loadOp: 'load', storeOp: 'store' }],
    });
    pass.setPipeline(this.#paste);
    const layout = this.#paste.getBindGroupLayout(0);
    const entries = [
      { binding: 0, resource: part.createView() },
      { binding: 1, resource: { buffer: params } },
    ];
    pass.setBindGroup(0, this.#device.createBindGroup({ layout, entries }));
    pass.draw(4);
    pass.end();
    this.#device.queue.submit([encoder.finish()]);
    params.destroy();
  }

  /** What `region` looks like now, as a texture of its own: to undo a paste. */
  copy(region: Region): GPUTexture {
    this.after ??= this.blank();
    const size = [SCALE * region.width, SCALE * region.height];
    const texture = this.#device.createTexture({
      label: 'page/undo',
      size,
      format: FORMAT,
      usage: GPUTextureUsage.COPY_SRC | GPUTextureUsage.COPY_DST,
    });
    const encoder = this.#device.createCommandEncoder({ label: 'page/undo' });
    const origin = [SCALE * region.x, SCALE * region.y];
    encoder.copyTextureToTexture({ texture: this.after, origin }, { texture }, size);
    this.#device.queue.submit([encoder.finish()]);
    return texture;
  }

  /** Puts back what `copy` took. */
  restore(texture: GPUTexture, { x, y, width, height }: Region): void {
    if (!this.after) return;
    const encoder = this.#device.createCommandEncoder({ label: 'page/undo' });
    const to = { texture: this.after, origin: [SCALE * x, SCALE * y] };
    encoder.copyTextureToTexture({ texture }, to, [SCALE * width, SCALE * height]);
    this.#device.queue.submit([encoder.finish()]);
  }

  /** The result as it is, through a canvas: browsers take the bytes from the device by themselves. */
  bitmap(): ImageBitmap {
    const { width, height } = this.size;
    const canvas = new OffscreenCanvas(SCALE * width, SCALE * height);
    const context = canvas.getContext('webgpu');
    if (!context || !this.after) throw new Error('there is no result yet');
    context.configure({
      device: this.#device,
      format: FORMAT,
      alphaMode: 'premultiplied',
      usage: GPUTextureUsage.COPY_DST | GPUTextureUsage.RENDER_ATTACHMENT,
    });
    const encoder = this.#device.createCommandEncoder({ label: 'page/bitmap' });
    encoder.copyTextureToTexture(
      { texture: this.after },
      { texture: context.getCurrentTexture() },
      [canvas.width, canvas.height],
    );
    this.#device.queue.submit([encoder.finish()]);
    const bitmap = canvas.transferToImageBitmap();
    context.unconfigure();
    return bitmap;
  }

  dispose(): void {
    this.before.destroy();
    this.after?.destroy();
  }
}

function pastePipeline(device: GPUDevice): GPURenderPipeline {
  const module = device.createShaderModule({ label: 'page/paste', code: PASTE });
  const over: GPUBlendComponent = { srcFactor: 'one', dstFactor: 'one-minus-src-alpha' };
  return device.createRenderPipeline({
    label: 'page/paste',
    layout: 'auto',
    vertex: { module, entryPoint: 'corner' },
    primitive: { topology: 'triangle-strip' },
    fragment: {
      module,
      entryPoint: 'paste',
      targets: [{ format: FORMAT, blend: { color: over, alpha: over } }],
    },
  });
}
