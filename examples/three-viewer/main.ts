/**
 * three.js and InvSR on one device: the texture of a render target goes in, what comes out is shown by
 * an ExternalTexture; nothing is read back. The lines that matter are at [1] to [5].
 */
import * as THREE from 'three/webgpu';
import { InvSR, requiredDevice } from 'invsr-webgpu';
import { fetchFolder } from 'invsr-webgpu/browser';
import { createScene } from './scene.ts';
import { createScreen, setMap } from './screen.ts';

/** Pixels rendered; `?side=32` is for slow adapters. */
const SIDE = Number(new URLSearchParams(location.search).get('side') ?? 128);

const canvas = document.querySelector('#view') as HTMLCanvasElement;
const button = document.querySelector('#sharpen') as HTMLButtonElement;
const status = document.querySelector('#status') as HTMLElement;
addEventListener('unhandledrejection', ({ reason }) => (status.textContent = String(reason)));

// [1] One device for both.
const adapter = await navigator.gpu?.requestAdapter();
if (!adapter) throw new Error('this browser has no WebGPU, or no adapter for it');
const device = await adapter.requestDevice(requiredDevice(adapter));
const renderer = new THREE.WebGPURenderer({ canvas, device });
await renderer.init();
// @types/three leaves `get` out.
const backend = renderer.backend as unknown as {
  get(texture: THREE.Texture): { texture: GPUTexture };
};
// The sharpened frame's pixels are the screen's.
renderer.setSize(8 * SIDE, 4 * SIDE, false);

const { scene, camera, turn } = createScene();
const rendered = new THREE.RenderTarget(SIDE, SIDE, { type: THREE.HalfFloatType, samples: 4 });
const still = rendered.clone();

/** Left the frame as it is rendered, right the sharpened one. */
const screen = createScreen();
setMap(screen.left, rendered.texture);

let frames = 0;
await renderer.setAnimationLoop((time: number) => {
  turn(time / 1000);
  renderer.setRenderTarget(rendered);
  renderer.render(scene, camera);
  renderer.setRenderTarget(null);
  renderer.render(screen.scene, screen.camera);
  frames++;
});

// [2] The networks, on the same device.
const weights = await fetchFolder(new URL('/weights/invsr-nano/', location.href));
const sr = await InvSR.load({ device, weights, tile: SIDE });

let sharpened: GPUTexture | undefined;
async function sharpen(): Promise<void> {
  button.disabled = true;
  status.textContent = 'Sharpening …';
  const [start, frame] = [performance.now(), frames];
  // What is upscaled stays as it is until that is done: a frame of its own.
  renderer.setRenderTarget(still);
  renderer.render(scene, camera);
  renderer.setRenderTarget(null);
  // [3] The GPUTexture behind a texture of three.js.
  const { texture } = backend.get(still.texture);
  // [4] three.js renders linear light, and wants linear light: rgba16float in, rgba16float out.
  const output = await sr.upscale(texture, { inputTransfer: 'linear' });
  // [5] Shown without a copy; yours to destroy, as three.js destroys only what it made.
  setMap(screen.right, new THREE.ExternalTexture(output));
  sharpened?.destroy();
  sharpened = output;
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  status.textContent = `${SIDE}×${SIDE} → ${4 * SIDE}×${4 * SIDE} in ${seconds} s, ${frames - frame} frames drawn meanwhile.`;
  button.disabled = false;
}

button.addEventListener('click', () => void sharpen());
button.disabled = false;
status.textContent = 'Ready.';
