/**
 * A WebGPU viewer that owns its device and draws every frame; a click sharpens the square under the
 * pointer on that device, while frames go on. What InvSR adds to it is at [1] to [4].
 */
import { InvSR, type Region, requiredDevice } from 'invsr-webgpu';
import { fetchFolder } from 'invsr-webgpu/browser';
import { createViewer } from './viewer.ts';

/** Of the square, in pixels of the picture; `?side=32` is for slow adapters. */
const SIDE = Number(new URLSearchParams(location.search).get('side') ?? 64);
/** With what surrounds it. */
const TILE = SIDE + 32;

const canvas = document.querySelector('#view') as HTMLCanvasElement;
const status = document.querySelector('#status') as HTMLElement;
addEventListener('unhandledrejection', ({ reason }) => {
  if (reason.name !== 'AbortError') status.textContent = String(reason);
});

// [1] The viewer's device: what InvSR can use of the adapter, joined with what the viewer needs.
const adapter = await navigator.gpu?.requestAdapter();
if (!adapter) throw new Error('this browser has no WebGPU, or no adapter for it');
const { maxTextureDimension2D } = adapter.limits;
const device = await adapter.requestDevice(
  requiredDevice(adapter, { requiredLimits: { maxTextureDimension2D } }),
);

const picture = await loadTexture('/images/still-life-lr.png');
const viewer = createViewer(device, canvas, picture);
requestAnimationFrame(function draw(time) {
  viewer.draw(time);
  requestAnimationFrame(draw);
});

// [2] The networks, on the same device. It stays the viewer's.
const weights = await fetchFolder(new URL('/weights/invsr-nano/', location.href));
const sr = await InvSR.load({ device, weights, tile: TILE });
status.textContent = 'Ready.';

/** The square around the pointer, within the picture. */
function squareAt({ offsetX, offsetY }: MouseEvent) {
  const within = (at: number, length: number, pixels: number) =>
    Math.round(Math.min(Math.max((at / length) * pixels - SIDE / 2, 0), pixels - SIDE));
  const x = within(offsetX, canvas.clientWidth, picture.width);
  const y = within(offsetY, canvas.clientHeight, picture.height);
  return { x, y, width: SIDE, height: SIDE };
}

let job = new AbortController();
async function sharpen(region: Region): Promise<void> {
  // [3] The newest click counts: whatever runs ends within one submit.
  job.abort();
  const { signal } = (job = new AbortController());
  const [start, frame] = [performance.now(), viewer.frames];
  status.textContent = 'Sharpening …';
  // [4] Texture in, texture out, four times as large, yours to destroy.
  const texture = await sr.upscale(picture, { region, signal });
  viewer.detail?.texture.destroy();
  viewer.detail = { texture, region };
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  status.textContent = `${SIDE}×${SIDE} → ${texture.width}×${texture.height} in ${seconds} s, ${viewer.frames - frame} frames drawn meanwhile.`;
}

canvas.addEventListener('pointermove', (event) => (viewer.square = squareAt(event)));
canvas.addEventListener('pointerleave', () => (viewer.square = undefined));
canvas.addEventListener('click', (event) => void sharpen(squareAt(event)));

async function loadTexture(url: string): Promise<GPUTexture> {
  const image = await createImageBitmap(await (await fetch(url)).blob());
  const { TEXTURE_BINDING, COPY_DST, RENDER_ATTACHMENT } = GPUTextureUsage;
  const texture = device.createTexture({
    size: [image.width, image.height],
    format: 'rgba8unorm',
    usage: TEXTURE_BINDING | COPY_DST | RENDER_ATTACHMENT,
  });
  device.queue.copyExternalImageToTexture({ source: image }, { texture }, [
    image.width,
    image.height,
  ]);
  return texture;
}
