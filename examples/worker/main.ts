/**
 * InvSR in a Web Worker: the page sends a photo and a canvas, and tiles appear on the canvas while the
 * main thread is free. What matters is at [1] to [3].
 */
import { InvSRWorker } from 'invsr-webgpu/worker';

/** Pixels of a tile; `?tile=32` is for slow adapters. */
const tile = Number(new URLSearchParams(location.search).get('tile') ?? 128);

const canvas = document.querySelector('#view') as HTMLCanvasElement;
const photo = document.querySelector('#photo') as HTMLInputElement;
const ours = document.querySelector('#ours') as HTMLButtonElement;
const stop = document.querySelector('#stop') as HTMLButtonElement;
const status = document.querySelector('#status') as HTMLElement;
addEventListener('unhandledrejection', ({ reason }) => {
  status.textContent = reason.name === 'AbortError' ? 'Stopped.' : String(reason);
});

// [1] The worker makes a device of its own. worker.js is `invsr-webgpu/worker-script`, bundled as an entry
// of its own; Vite and webpack find it by themselves, without `worker`.
const sr = await InvSRWorker.load({
  weights: '/weights/invsr-nano/',
  worker: new Worker('worker.js', { type: 'module' }),
  onProgress: (progress) => {
    if (progress.phase !== 'download') return;
    status.textContent = `Loading: ${(progress.loadedBytes / 1e6).toFixed(1)} MB …`;
  },
});

// [2] From now on the canvas is the worker's to draw on.
const drawing = canvas.transferControlToOffscreen();

let job = new AbortController();
async function sharpen(file: Blob): Promise<void> {
  job.abort();
  const { signal } = (job = new AbortController());
  stop.disabled = false;
  const image = await createImageBitmap(file);
  const start = performance.now();
  // [3] Drawn tile by tile. Without `canvas`, an ImageBitmap comes back.
  await sr.upscale(image, {
    canvas: drawing,
    tile,
    signal,
    onProgress: (progress) => {
      if (progress.phase !== 'run') return;
      status.textContent = `${Math.round((100 * progress.done) / progress.total)} % …`;
    },
  });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  status.textContent = `${image.width}×${image.height} → ${4 * image.width}×${4 * image.height} in ${seconds} s.`;
  stop.disabled = true;
}

stop.addEventListener('click', () => job.abort());
const sample = async () => (await fetch('/images/still-life-lr.png')).blob();
ours.addEventListener('click', () => void sample().then(sharpen));
photo.addEventListener('change', () => {
  const [file] = photo.files ?? [];
  if (file) void sharpen(file);
});
ours.disabled = photo.disabled = false;
status.textContent = 'Ready.';
