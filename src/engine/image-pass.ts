/**
 * Passes between images of the caller's and tensors [H, W, 4] f32 in buffers (image-wgsl.ts).
 *
 *   loadImage       a rectangle of an image → tensor, in a compute pass
 *   imageStore      tensor → rectangles of an image: textures with usage RENDER_ATTACHMENT in a render
 *                   pass, others and buffers in a compute pass
 *
 * A store queues its work as it is called, `loadImage` once it has its pipeline; their promises tell of
 * errors and do not wait for the device's work. Pipelines are kept per device.
 */
import { inScope } from './error-scope.ts';
import { DeviceError } from './errors.ts';
import {
  convertsItself,
  type GpuImage,
  type ImageBuffer,
  isTexture,
  layoutOf,
  levelsOf,
  type Rectangle,
  spanOf,
  type Transfer,
} from './gpu-image.ts';
import { computePipeline, renderPipeline } from './image-pipelines.ts';
import {
  type ImageParams,
  type ImageShader,
  loadWgsl,
  packImageParams,
  type PixelPlace,
  storeWgsl,
} from './image-wgsl.ts';

/** Of the squares that workgroups take; as in image-wgsl.ts. */
const WORKGROUP_SIDE = 8;

export interface LoadRequest {
  readonly image: GpuImage;
  /** Its name in messages. @default the input */
  readonly what?: string;
  /** What of it is loaded. */
  readonly from: Rectangle;
  readonly transfer: Transfer;
  /** Usage STORAGE, at least `16 · width · height` bytes. */
  readonly tensor: GPUBuffer;
  /** Of the tensor; where it is larger than `from`, that repeats its last row and column. */
  readonly width: number;
  readonly height: number;
}

/** Fills a tensor from an image. */
export async function loadImage(device: GPUDevice, request: LoadRequest): Promise<void> {
  const { image, what = 'the input', from, transfer, tensor, width, height } = request;
  const pipeline = await computePipeline(device, loadWgsl(shaderOf(image, transfer)));
  await encode(device, what, {
    params: {
      origin: [from.x, from.y],
      target: [0, 0],
      size: [width, height],
      last: [from.width - 1, from.height - 1],
      sourceStride: strideOf(image),
      targetStride: width,
    },
    group: (params) =>
      groupOf(device, pipeline, [{ buffer: params }, bindingOf(image), { buffer: tensor }]),
    pass: (encoder, group) => dispatch(encoder, { pipeline, group, width, height }),
  });
}

export interface StoreRequest {
  readonly tensor: GPUBuffer;
  /** Pixels from row to row of the tensor. */
  readonly stride: number;
  /** The tensor's pixel that goes to the rectangle's first. */
  readonly origin: readonly [x: number, y: number];
  /** Of the image. */
  readonly to: Rectangle;
}

/** Writes rectangles of one image, again and again. */
export type ImageStore = (request: StoreRequest) => Promise<void>;

/** Compiles what writes `image`. */
export async function imageStore(
  device: GPUDevice,
  image: GpuImage,
  transfer: Transfer,
): Promise<ImageStore> {
  const isDrawn = isTexture(image) && (image.usage & GPUTextureUsage.RENDER_ATTACHMENT) !== 0;
  const shader = shaderOf(image, transfer);
  const wgsl = storeWgsl(shader, isDrawn ? 'render' : 'compute', image.format);
  const paramsOf = ({ origin, to, stride }: StoreRequest): ImageParams => ({
    origin,
    target: [to.x, to.y],
    size: [to.width, to.height],
    last: [0, 0],
    sourceStride: stride,
    targetStride: strideOf(image),
  });
  if (isDrawn) {
    const pipeline = await renderPipeline(device, wgsl, image.format);
    return (request) =>
      encode(device, 'the output', {
        params: paramsOf(request),
        group: (params) =>
          groupOf(device, pipeline, [{ buffer: params }, { buffer: request.tensor }]),
        pass: (encoder, group) => draw(encoder, { pipeline, group, image, to: request.to }),
      });
  }
  const pipeline = await computePipeline(device, wgsl);
  return (request) =>
    encode(device, 'the output', {
      params: paramsOf(request),
      group: (params) =>
        groupOf(device, pipeline, [
          { buffer: params },
          { buffer: request.tensor },
          bindingOf(image),
        ]),
      pass: (encoder, group) => dispatch(encoder, { pipeline, group, ...request.to }),
    });
}

// --- details ----------------------------------------------------------------------------------------

const PLACES: Readonly<Record<ImageBuffer['format'], PixelPlace>> = {
  rgba8unorm: 'u32',
  rgba32float: 'vec4f',
};

const shaderOf = (image: GpuImage, transfer: Transfer): ImageShader => ({
  place: isTexture(image) ? 'texture' : PLACES[image.format],
  levels: levelsOf(image),
  convertsItself: convertsItself(image),
  isLinear: transfer === 'linear',
});

/** Pixels from row to row of a buffer. */
function strideOf(image: GpuImage): number {
  if (isTexture(image)) return 0;
  const { bytesPerRow, bytesPerPixel } = layoutOf(image);
  return bytesPerRow / bytesPerPixel;
}

const viewOf = (texture: GPUTexture): GPUTextureView =>
  texture.createView({ dimension: '2d', mipLevelCount: 1, arrayLayerCount: 1 });

function bindingOf(image: GpuImage): GPUBindingResource {
  if (isTexture(image)) return viewOf(image);
  return { buffer: image.buffer, offset: layoutOf(image).offset, size: spanOf(image) };
}

const groupOf = (
  device: GPUDevice,
  pipeline: GPUPipelineBase,
  resources: readonly GPUBindingResource[],
): GPUBindGroup =>
  device.createBindGroup({
    label: 'invsr/image',
    layout: pipeline.getBindGroupLayout(0),
    entries: resources.map((resource, binding) => ({ binding, resource })),
  });

interface Work {
  readonly params: ImageParams;
  readonly group: (params: GPUBuffer) => GPUBindGroup;
  readonly pass: (encoder: GPUCommandEncoder, group: GPUBindGroup) => void;
}

/** One submit. DeviceError where the device refuses it: the image is destroyed, or another device's. */
async function encode(
  device: GPUDevice,
  what: string,
  { params, group, pass }: Work,
): Promise<void> {
  const { error } = inScope(device, 'validation', () => {
    const bytes = packImageParams(params);
    const uniform = device.createBuffer({
      label: 'invsr/image params',
      size: bytes.byteLength,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
    device.queue.writeBuffer(uniform, 0, bytes);
    const encoder = device.createCommandEncoder({ label: 'invsr/image' });
    pass(encoder, group(uniform));
    device.queue.submit([encoder.finish()]);
    uniform.destroy(); // when the submit is done with it
  });
  const message = await error;
  if (message === undefined) return;
  throw new DeviceError({
    what: `${what} cannot be used`,
    needed: 'an image of the device that InvSR was given, not destroyed',
    got: message,
    remedy: 'Keep it until the promise of the call resolves.',
  });
}

function dispatch(
  encoder: GPUCommandEncoder,
  {
    pipeline,
    group,
    width,
    height,
  }: {
    readonly pipeline: GPUComputePipeline;
    readonly group: GPUBindGroup;
    readonly width: number;
    readonly height: number;
  },
): void {
  const pass = encoder.beginComputePass({ label: 'invsr/image' });
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  // Of nothing too: Dawn warns of dispatches without a workgroup.
  const count = (side: number): number => Math.max(1, Math.ceil(side / WORKGROUP_SIDE));
  pass.dispatchWorkgroups(count(width), count(height));
  pass.end();
}

function draw(
  encoder: GPUCommandEncoder,
  {
    pipeline,
    group,
    image,
    to,
  }: {
    readonly pipeline: GPURenderPipeline;
    readonly group: GPUBindGroup;
    readonly image: GPUTexture;
    readonly to: Rectangle;
  },
): void {
  const pass = encoder.beginRenderPass({
    label: 'invsr/image',
    colorAttachments: [{ view: viewOf(image), loadOp: 'load', storeOp: 'store' }],
  });
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.setScissorRect(to.x, to.y, to.width, to.height);
  pass.draw(3);
  pass.end();
}
