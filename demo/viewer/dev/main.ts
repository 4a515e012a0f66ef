/**
 * The viewer on a page of its own, for development and tests: a drawing at full size as the result, and
 * the same reduced as the input. Tests find viewer, device and a maker of textures in `dev`, and
 * nothing but the viewer on the page with `?bare`.
 */
import { createViewer, type Mode, type Viewer } from '../viewer.ts';

/** Red, green, blue, alpha in 0 to 255 for a pixel. */
type Paint = (x: number, y: number) => readonly [number, number, number, number];

export interface Dev {
  readonly viewer: Viewer;
  device: GPUDevice;
  /** A texture painted pixel by pixel. */
  texture(width: number, height: number, paint: Paint): GPUTexture;
  /** What the viewer has told, newest last. */
  readonly events: unknown[];
  /** For the viewer and for textures. */
  useDevice(device: GPUDevice): void;
}

declare global {
  var dev: Dev | undefined;
}

const SCALE = 4;
const PICTURE = { width: 192, height: 128 };

/** Something with edges, lines, text and gradients, in a space of 192 x 128. */
function drawPicture(context: OffscreenCanvasRenderingContext2D): void {
  const sky = context.createLinearGradient(0, 0, 0, 90);
  sky.addColorStop(0, '#2d5f9e');
  sky.addColorStop(1, '#f3c9a0');
  context.fillStyle = sky;
  context.fillRect(0, 0, 192, 128);
  context.fillStyle = '#fbe7c0';
  context.beginPath();
  context.arc(138, 62, 17, 0, 2 * Math.PI);
  context.fill();
  const hills = [
    ['#6d7f8f', 78, 11, 41],
    ['#46606b', 90, 8, 29],
    ['#223c3f', 103, 6, 19],
  ] as const;
  for (const [color, height, amplitude, length] of hills) {
    context.fillStyle = color;
    context.beginPath();
    context.moveTo(0, 128);
    for (let x = 0; x <= 192; x++) {
      const wave = Math.sin(x / length) + 0.4 * Math.sin(x / (length / 3.7));
      context.lineTo(x, height - amplitude * wave);
    }
    context.lineTo(192, 128);
    context.fill();
  }
  context.strokeStyle = '#101c1d';
  for (let x = 4; x < 192; x += 5) {
    context.lineWidth = 0.6;
    context.beginPath();
    context.moveTo(x, 128);
    context.lineTo(x + 2 * Math.sin(x), 112 - 5 * Math.sin(x / 7));
    context.stroke();
  }
  context.fillStyle = '#fff';
  context.font = '600 9px sans-serif';
  context.fillText('InvSR', 12, 22);
}

function canvasTexture(device: GPUDevice, source: OffscreenCanvas): GPUTexture {
  const { width, height } = source;
  const texture = device.createTexture({
    size: [width, height],
    format: 'rgba8unorm',
    usage:
      GPUTextureUsage.TEXTURE_BINDING |
      GPUTextureUsage.COPY_DST |
      GPUTextureUsage.RENDER_ATTACHMENT,
  });
  device.queue.copyExternalImageToTexture({ source }, { texture }, [width, height]);
  return texture;
}

function contextOf(canvas: OffscreenCanvas): OffscreenCanvasRenderingContext2D {
  const context = canvas.getContext('2d');
  if (!context) throw new Error('no 2d context');
  return context;
}

function pictures(device: GPUDevice): { before: GPUTexture; after: GPUTexture; scale: number } {
  const { width, height } = PICTURE;
  const large = new OffscreenCanvas(width * SCALE, height * SCALE);
  const context = contextOf(large);
  context.scale(SCALE, SCALE);
  drawPicture(context);
  const small = new OffscreenCanvas(width, height);
  const reduced = contextOf(small);
  reduced.imageSmoothingQuality = 'high';
  reduced.drawImage(large, 0, 0, width, height);
  return {
    before: canvasTexture(device, small),
    after: canvasTexture(device, large),
    scale: SCALE,
  };
}

async function main(): Promise<void> {
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) throw new Error('no WebGPU adapter');
  const device = await adapter.requestDevice();
  const canvas = document.querySelector('canvas');
  const nav = document.querySelector('nav');
  if (!canvas || !nav) throw new Error('index.html is not what main.ts expects');

  const events: unknown[] = [];
  const viewer = createViewer(canvas, {
    device,
    onViewChange: (view) => events.push({ view }),
    onSliderChange: (slider) => events.push({ slider }),
    onRegionChange: (region, done) => events.push({ region, done }),
  });
  viewer.setImages(pictures(device));

  const button = (label: string, action: () => void): void => {
    const element = document.createElement('button');
    element.textContent = label;
    element.addEventListener('click', action);
    nav.append(element);
  };
  for (const mode of ['single', 'slider', 'lens', 'side'] satisfies Mode[]) {
    button(mode, () => (viewer.mode = mode));
  }
  button('fit', () => viewer.fit());
  button('1:1', () => viewer.zoomTo(1));
  button('smooth / pixels', () => {
    viewer.sampling = viewer.sampling === 'smooth' ? 'pixels' : 'smooth';
  });
  button('pan / region', () => (viewer.tool = viewer.tool === 'pan' ? 'region' : 'pan'));

  nav.hidden = new URLSearchParams(location.search).has('bare');

  const dev: Dev = {
    viewer,
    device,
    events,
    useDevice(next) {
      dev.device = next;
      viewer.setDevice(next);
    },
    texture(width, height, paint) {
      const pixels = new Uint8Array(width * height * 4);
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) pixels.set(paint(x, y), (y * width + x) * 4);
      }
      const texture = dev.device.createTexture({
        size: [width, height],
        format: 'rgba8unorm',
        usage: GPUTextureUsage.TEXTURE_BINDING | GPUTextureUsage.COPY_DST,
      });
      dev.device.queue.writeTexture({ texture }, pixels, { bytesPerRow: width * 4 }, [
        width,
        height,
      ]);
      return texture;
    },
  };
  globalThis.dev = dev;
}

await main();
