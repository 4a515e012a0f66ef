/** Draws a frame of the viewer into its canvas: one render pass, a draw for each layer in view, the caller's textures as they are. */
import { checkImages, type Layer, layersOf } from './layers.ts';
import { IS_LINEAR, IS_RESULT, viewerShader } from './shader.ts';
import type { Images, Lens, Point, Region, Size } from './types.ts';
import { isInPane, type Place } from './view.ts';

/** Device pixels; `lens` and `split` in the canvas, `origin` in a pane. */
export interface Frame extends Place {
  readonly pane: Size;
  readonly second: Point;
  readonly split: number;
  readonly lens: Pick<Lens, 'x' | 'y' | 'radius' | 'magnify'>;
  /** Those of shader.ts. */
  readonly flags: number;
}

export interface Renderer {
  /** Throws TypeError, RangeError for textures that cannot be shown. */
  setImages(images: Images | undefined): void;
  /** Without a frame, or before the pipeline is there, the canvas is cleared. */
  draw(frame: Frame | undefined): void;
  dispose(): void;
}

/** Premultiplied, as the layers are. */
const OVER = { srcFactor: 'one', dstFactor: 'one-minus-src-alpha' } as const;

const FRAME_BYTES = 48;
const LAYER_BYTES = 40;

export interface RendererOptions {
  readonly device: GPUDevice;
  readonly format?: GPUTextureFormat | undefined;
  readonly colorSpace?: PredefinedColorSpace | undefined;
  /** Called when the pipeline is there: what was drawn before has to be drawn again. */
  readonly onReady: () => void;
}

/** Throws TypeError where the canvas has a context of another kind. */
export function createRenderer(canvas: HTMLCanvasElement, options: RendererOptions): Renderer {
  const { device, colorSpace = 'srgb' } = options;
  const format = options.format ?? navigator.gpu.getPreferredCanvasFormat();
  const context = canvas.getContext('webgpu');
  if (!context) throw new TypeError('the viewer needs a canvas without another context');
  // Transparent around the picture: the page's background shows there.
  context.configure({ device, format, colorSpace, alphaMode: 'premultiplied' });

  const visibility = GPUShaderStage.FRAGMENT;
  const layout = device.createBindGroupLayout({
    label: 'viewer',
    entries: [
      { binding: 0, visibility, buffer: { minBindingSize: FRAME_BYTES } },
      { binding: 1, visibility, buffer: { minBindingSize: LAYER_BYTES } },
      { binding: 2, visibility, texture: { sampleType: 'unfilterable-float' } },
    ],
  });
  const module = device.createShaderModule({ label: 'viewer', code: viewerShader });
  let pipeline: GPURenderPipeline | undefined;
  device
    .createRenderPipelineAsync({
      label: 'viewer',
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      vertex: { module },
      fragment: { module, targets: [{ format, blend: { color: OVER, alpha: OVER } }] },
    })
    .then((made) => {
      pipeline = made;
      options.onReady();
    })
    // Without it nothing can be shown; a device that was lost is told by itself.
    .catch((error: unknown) => console.error(error));
  const uniforms = (label: string, size: number): GPUBuffer =>
    device.createBuffer({
      label: `viewer/${label}`,
      size,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
  const frameUniforms = uniforms('frame', FRAME_BYTES);
  let layerUniforms: GPUBuffer | undefined;
  let layers: readonly { readonly shows: Region; readonly bindGroup: GPUBindGroup }[] = [];
  let picture: Size = { width: 0, height: 0 };

  return {
    setImages(images) {
      if (images) checkImages(images);
      layerUniforms?.destroy();
      layerUniforms = undefined;
      layers = [];
      if (!images) return;
      const { width, height } = images.before;
      picture = { width, height };
      const all = layersOf(images);
      const stride = device.limits.minUniformBufferOffsetAlignment;
      const buffer = uniforms('layers', all.length * stride);
      layerUniforms = buffer;
      layers = all.map((layer, index) => {
        const { texture, shows } = layer;
        const isLinear = images.transfer === 'linear' || texture.format.endsWith('-srgb');
        const flags = (layer.isResult ? IS_RESULT : 0) | (isLinear ? IS_LINEAR : 0);
        const bytes = layerBytes(layer, picture, flags);
        device.queue.writeBuffer(buffer, index * stride, bytes);
        const view = texture.createView({
          dimension: '2d',
          mipLevelCount: 1,
          arrayLayerCount: 1,
        });
        const bindGroup = device.createBindGroup({
          label: 'viewer',
          layout,
          entries: [
            { binding: 0, resource: { buffer: frameUniforms } },
            { binding: 1, resource: { buffer, offset: index * stride, size: LAYER_BYTES } },
            { binding: 2, resource: view },
          ],
        });
        return { shows, bindGroup };
      });
    },

    draw(frame) {
      const encoder = device.createCommandEncoder({ label: 'viewer' });
      const view = context.getCurrentTexture().createView();
      const pass = encoder.beginRenderPass({
        colorAttachments: [{ view, loadOp: 'clear', storeOp: 'store', clearValue: [0, 0, 0, 0] }],
      });
      if (frame && pipeline) {
        device.queue.writeBuffer(frameUniforms, 0, frameBytes(frame));
        pass.setPipeline(pipeline);
        for (const { shows, bindGroup } of layers) {
          // The lens shows nothing that lies outside: what it enlarges is around its middle.
          if (!isInPane(shows, picture, frame, frame.pane)) continue;
          pass.setBindGroup(0, bindGroup);
          pass.draw(3);
        }
      }
      pass.end();
      device.queue.submit([encoder.finish()]);
    },

    dispose() {
      frameUniforms.destroy();
      layerUniforms?.destroy();
      context.unconfigure();
    },
  };
}

/** As struct Frame of the shader. */
function frameBytes(frame: Frame): ArrayBuffer {
  const { origin, size, second, split, lens } = frame;
  const bytes = new ArrayBuffer(FRAME_BYTES);
  const floats = new Float32Array(bytes);
  floats.set([origin.x, origin.y, size.width, size.height]);
  floats.set([second.x, second.y, split], 4);
  floats.set([lens.x, lens.y, lens.radius, lens.magnify], 8);
  new Uint32Array(bytes)[7] = frame.flags;
  return bytes;
}

/** As struct Layer of the shader. */
function layerBytes({ region, shows }: Layer, { width, height }: Size, flags: number): ArrayBuffer {
  const bytes = new ArrayBuffer(LAYER_BYTES);
  const fractions = new Float32Array(bytes);
  fractions.set([
    region.x / width,
    region.y / height,
    region.width / width,
    region.height / height,
  ]);
  // An end of the texture is no border: it is as soft as its pixels.
  const from = (at: number, end: number, all: number): number => (at > end ? at / all : -1);
  const to = (at: number, end: number, all: number): number => (at < end ? at / all : 2);
  const { x, y } = shows;
  fractions.set([from(x, region.x, width), from(y, region.y, height)], 4);
  fractions.set(
    [
      to(x + shows.width, region.x + region.width, width),
      to(y + shows.height, region.y + region.height, height),
    ],
    6,
  );
  new Uint32Array(bytes)[8] = flags;
  return bytes;
}
