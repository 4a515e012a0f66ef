/**
 * deck.gl on WebGPU and InvSR on one device: the tiles of the imagery that are in view are sharpened
 * once the map rests, each shown by a BitmapLayer over the original. What matters is at [1] to [4].
 *
 * deck.gl 9.4 still calls its WebGPU support experimental; its BitmapLayer works.
 */
import { Deck, OrthographicView } from '@deck.gl/core';
import { BitmapLayer } from '@deck.gl/layers';
import { luma, type Texture } from '@luma.gl/core';
import { type WebGPUDevice, webgpuAdapter } from '@luma.gl/webgpu';
import { InvSR } from 'invsr-webgpu';
import { fetchFolder } from 'invsr-webgpu/browser';
import { drawAerial } from './aerial.ts';

const SIDE = 256; // of the imagery, in pixels; a pixel is a unit of the map
/** Of the imagery, sharpened at a time; `?tile=32` is for slow adapters. */
const TILE = Number(new URLSearchParams(location.search).get('tile') ?? 64);

const status = document.querySelector('#status') as HTMLElement;
addEventListener('unhandledrejection', ({ reason }) => {
  if (reason.name !== 'AbortError') status.textContent = String(reason);
});

// [1] luma.gl makes the device, for `attachDevice` takes none of WebGPU yet (9.4): with all the adapter has.
const device = (await luma.createDevice({
  type: 'webgpu',
  adapters: [webgpuAdapter],
  featureLevel: 'max',
  createCanvasContext: { container: 'map', alphaMode: 'premultiplied' },
})) as WebGPUDevice;

const sampler = { minFilter: 'linear', magFilter: 'linear' } as const;
const imagery = device.createTexture({
  data: drawAerial(SIDE),
  width: SIDE,
  height: SIDE,
  sampler,
});
const sharp = new Map<string, BitmapLayer>();
const corners = Array.from({ length: (SIDE / TILE) ** 2 }, (_, i) => ({
  x: TILE * (i % (SIDE / TILE)),
  y: TILE * Math.floor(i / (SIDE / TILE)),
}));
const bitmap = (image: Texture, x: number, y: number, side: number) =>
  new BitmapLayer({ id: `${x} ${y} ${side}`, image, bounds: [x, y + side, x + side, y] });
const layers = () => [bitmap(imagery, 0, 0, SIDE), ...sharp.values()];

const deck = new Deck({
  device,
  views: new OrthographicView(),
  controller: true,
  initialViewState: { target: [SIDE / 2, SIDE / 2], zoom: 2 },
  layers: layers(),
});

// [2] The networks, on luma.gl's device.
const weights = await fetchFolder(new URL('/weights/invsr-nano/', location.href));
const sr = await InvSR.load({ device: device.handle, weights, tile: TILE + 32 });

/** Tiles in view. */
function inView() {
  const [left, top, right, bottom] = deck.getViewports()[0]?.getBounds() ?? [0, 0, 0, 0];
  return corners.filter(({ x, y }) => x < right && y < bottom && x + TILE > left && y + TILE > top);
}

let job = new AbortController();
let timer: ReturnType<typeof setTimeout>;
function rest(): void {
  // [3] The map moves: what runs ends within one submit, and begins anew when it rests.
  job.abort();
  const { signal } = (job = new AbortController());
  clearTimeout(timer);
  timer = setTimeout(() => void sharpenView(signal), 200);
}
deck.setProps({ onViewStateChange: rest });
rest();

async function sharpenView(signal: AbortSignal): Promise<void> {
  const tiles = inView();
  const isSharp = ({ x, y }: { x: number; y: number }) => sharp.has(`${x} ${y}`);
  const say = () =>
    (status.textContent = `${tiles.filter(isSharp).length} of ${tiles.length} tiles in view are sharp.`);
  say();
  for (const tile of tiles.filter((tile) => !isSharp(tile))) {
    const { x, y } = tile;
    // [4] luma.gl's texture in; the GPUTexture that comes out becomes one of luma.gl's.
    const handle = await sr.upscale(imagery.handle, {
      region: { x, y, width: TILE, height: TILE },
      signal,
    });
    const { width, height } = handle;
    sharp.set(
      `${x} ${y}`,
      bitmap(device.createTexture({ handle, width, height, sampler }), x, y, TILE),
    );
    deck.setProps({ layers: layers() });
    say();
  }
}
