/** Draws a frame of the viewer into its canvas: one render pass, the caller's textures as they are. */
import { LINEAR_AFTER, LINEAR_BEFORE, viewerShader } from './shader.ts';
import type { Images, Lens, Point, Size } from './types.ts';

/** Device pixels; `lens` and `split` in the canvas, `origin` in a pane. */
export interface Frame {
  readonly origin: Point;
  readonly size: Size;
  readonly second: Point;
  readonly split: number;
  readonly lens: Pick<Lens, 'x' | 'y' | 'radius' | 'magnify'>;
  /** Those of shader.ts, but for the textures' own. */
  readonly flags: number;
}

export interface Renderer {
  setImages(images: Images | undefined): void;
  /** Without a frame the canvas is cleared. */
  draw(frame: Frame | undefined): void;
  dispose(): void;
}

const FRAME_BYTES = 48;

export interface RendererOptions {
  readonly device: GPUDevice;
  readonly format?: GPUTextureFormat | undefined;
  readonly colorSpace?: PredefinedColorSpace | undefined;
}

/** Throws TypeError where the canvas has a context of another kind. */
export function createRenderer(canvas: HTMLCanvasElement, options: RendererOptions): Renderer {
  const { device, colorSpace = 'srgb' } = options;
  const format = options.format ?? navigator.gpu.getPreferredCanvasFormat();
  const context = canvas.getContext('webgpu');
  if (!context) throw new TypeError('the viewer needs a canvas without another context');
  // Transparent around the picture: the page's background shows there.
  context.configure({ device, format, colorSpace, alphaMode: 'premultiplied' });

  const texture = { texture: { sampleType: 'unfilterable-float' } } as const;
  const visibility = GPUShaderStage.FRAGMENT;
  const layout = device.createBindGroupLayout({
    label: 'viewer',
    entries: [
      { binding: 0, visibility, buffer: { type: 'uniform', minBindingSize: FRAME_BYTES } },
      { binding: 1, visibility, ...texture },
      { binding: 2, visibility, ...texture },
    ],
  });
  const module = device.createShaderModule({ label: 'viewer', code: viewerShader });
  const pipeline = device.createRenderPipeline({
    label: 'viewer',
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    vertex: { module },
    fragment: { module, targets: [{ format }] },
  });
  const uniforms = device.createBuffer({
    label: 'viewer/frame',
    size: FRAME_BYTES,
    usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
  });
  let bindGroup: GPUBindGroup | undefined;
  let imageFlags = 0;

  return {
    setImages(images) {
      bindGroup = undefined;
      if (!images) return;
      const { before, after = before, transfer = 'srgb' } = images;
      const isLinear = ({ format }: GPUTexture): boolean =>
        transfer === 'linear' || format.endsWith('-srgb');
      imageFlags = (isLinear(before) ? LINEAR_BEFORE : 0) | (isLinear(after) ? LINEAR_AFTER : 0);
      const view = (picture: GPUTexture): GPUTextureView =>
        picture.createView({ dimension: '2d', mipLevelCount: 1, arrayLayerCount: 1 });
      bindGroup = device.createBindGroup({
        label: 'viewer',
        layout,
        entries: [
          { binding: 0, resource: { buffer: uniforms } },
          { binding: 1, resource: view(before) },
          { binding: 2, resource: view(after) },
        ],
      });
    },

    draw(frame) {
      const encoder = device.createCommandEncoder({ label: 'viewer' });
      const view = context.getCurrentTexture().createView();
      const pass = encoder.beginRenderPass({
        colorAttachments: [{ view, loadOp: 'clear', storeOp: 'store', clearValue: [0, 0, 0, 0] }],
      });
      if (frame && bindGroup) {
        device.queue.writeBuffer(uniforms, 0, frameBytes(frame, imageFlags));
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, bindGroup);
        pass.draw(3);
      }
      pass.end();
      device.queue.submit([encoder.finish()]);
    },

    dispose() {
      uniforms.destroy();
      context.unconfigure();
    },
  };
}

/** As struct Frame of the shader. */
function frameBytes(frame: Frame, imageFlags: number): ArrayBuffer {
  const { origin, size, second, split, lens } = frame;
  const bytes = new ArrayBuffer(FRAME_BYTES);
  const floats = new Float32Array(bytes);
  floats.set([origin.x, origin.y, size.width, size.height]);
  floats.set([second.x, second.y, split], 4);
  floats.set([lens.x, lens.y, lens.radius, lens.magnify], 8);
  new Uint32Array(bytes)[7] = frame.flags | imageFlags;
  return bytes;
}

/** Throws what is wrong with textures that are to be shown. */
export function checkImages({ before, after, scale }: Images): void {
  if (!Number.isInteger(scale) || scale < 1) {
    throw new RangeError(`scale is ${scale}, expected a whole number from 1 on`);
  }
  for (const [name, picture] of Object.entries({ before, after })) {
    if (!picture) continue;
    if (picture.dimension !== '2d' || picture.sampleCount !== 1) {
      throw new TypeError(`${name} must be a 2d texture with one sample per pixel`);
    }
    if (!(picture.usage & GPUTextureUsage.TEXTURE_BINDING)) {
      throw new TypeError(`${name} cannot be read by a shader: it needs usage TEXTURE_BINDING`);
    }
  }
  if (after && (after.width !== before.width * scale || after.height !== before.height * scale)) {
    throw new RangeError(
      `after is ${after.width} x ${after.height}, expected ${scale} times before's ${before.width} x ${before.height}`,
    );
  }
}
