/** What is there already in a viewer of yours: a picture on a canvas, and a second one over a part of it. */
interface Square {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Viewer {
  /** Outlined: pixels of the picture. */
  square: Square | undefined;
  /** Drawn in place of that part of the picture. */
  detail: { readonly texture: GPUTexture; readonly region: Square } | undefined;
  /** Drawn so far. */
  readonly frames: number;
  draw(milliseconds: number): void;
}

const SHADER = /* wgsl */ `
struct Frame {
  square: vec4f,   // x, y, width, height in pixels of the picture; width 0: none
  detail: vec4f,
  canvas: vec2f,
  seconds: f32,
}
@group(0) @binding(0) var<uniform> frame: Frame;
@group(0) @binding(1) var picture: texture_2d<f32>;
@group(0) @binding(2) var detail: texture_2d<f32>;
@group(0) @binding(3) var linear: sampler;

@vertex fn corner(@builtin(vertex_index) i: u32) -> @builtin(position) vec4f {
  return vec4f(f32(i & 1) * 4 - 1, f32(i >> 1) * 4 - 1, 0, 1);
}

@fragment fn shade(@builtin(position) position: vec4f) -> @location(0) vec4f {
  let size = vec2f(textureDimensions(picture));
  let pixel = position.xy / frame.canvas * size;
  let inside = (pixel - frame.detail.xy) / frame.detail.zw;
  var color = textureSampleLevel(picture, linear, pixel / size, 0);
  if (frame.detail.z > 0 && all(inside >= vec2f(0)) && all(inside < vec2f(1))) {
    color = textureSampleLevel(detail, linear, inside, 0);
  }
  // The outline breathes, so that one sees frames go on.
  let away = abs(pixel - frame.square.xy - frame.square.zw / 2) - frame.square.zw / 2;
  let edge = abs(max(away.x, away.y)) * frame.canvas.x / size.x;
  let line = select(0.0, 0.65 + 0.35 * cos(4 * frame.seconds), edge < 1.5 && frame.square.z > 0);
  return mix(color, vec4f(1), line);
}`;

export function createViewer(
  device: GPUDevice,
  canvas: HTMLCanvasElement,
  picture: GPUTexture,
): Viewer {
  const context = canvas.getContext('webgpu') as GPUCanvasContext;
  const format = navigator.gpu.getPreferredCanvasFormat();
  context.configure({ device, format });
  const module = device.createShaderModule({ code: SHADER });
  const pipeline = device.createRenderPipeline({
    layout: 'auto',
    vertex: { module },
    fragment: { module, targets: [{ format }] },
  });
  const uniform = device.createBuffer({
    size: 48,
    usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
  });
  const sampler = device.createSampler({ magFilter: 'linear', minFilter: 'linear' });
  const corners = (at: Square | undefined): readonly number[] =>
    at ? [at.x, at.y, at.width, at.height] : [0, 0, 0, 0];
  let frames = 0;
  return {
    square: undefined,
    detail: undefined,
    get frames() {
      return frames;
    },
    draw(milliseconds) {
      const { width, height } = canvas;
      const values = [...corners(this.square), ...corners(this.detail?.region), width, height];
      device.queue.writeBuffer(uniform, 0, new Float32Array([...values, milliseconds / 1000, 0]));
      const resources = [
        { buffer: uniform },
        picture.createView(),
        (this.detail?.texture ?? picture).createView(),
        sampler,
      ];
      const group = device.createBindGroup({
        layout: pipeline.getBindGroupLayout(0),
        entries: resources.map((resource, binding) => ({ binding, resource })),
      });
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginRenderPass({
        colorAttachments: [
          { view: context.getCurrentTexture().createView(), loadOp: 'clear', storeOp: 'store' },
        ],
      });
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.draw(3);
      pass.end();
      device.queue.submit([encoder.finish()]);
      frames++;
    },
  };
}
