/**
 * Deno: its own WebGPU, a picture in, a picture out.
 *
 *   deno run --allow-all --unstable-webgpu main.ts photo.jpg photo-x4.png
 *
 * Where npm has installed invsr-webgpu and sharp (which reads and writes files), or in a clone after `npm run build`.
 */
import process from 'node:process';
import { InvSR, readImage, requiredDevice } from 'invsr-webgpu';
import { fetchFolder } from 'invsr-webgpu/browser';
import sharp from 'sharp';

const [from, to] = process.argv.slice(2);
if (!from || !to) throw new Error('which picture, and where to?');
const pixels = sharp(from).autoOrient().toColourspace('srgb').ensureAlpha().raw();
const { data, info } = await pixels.toBuffer({ resolveWithObject: true });

const adapter = await navigator.gpu.requestAdapter();
if (!adapter)
  throw new Error('no WebGPU adapter: is there a driver with Vulkan, Metal or Direct3D 12?');
const device = await adapter.requestDevice(requiredDevice(adapter));
// A small model, whole in memory; large ones are read piece by piece by nodeFolder(path) of invsr-webgpu/node.
const manifest = import.meta.resolve('invsr-webgpu/weights/invsr-nano/invsr-manifest.json');
const weights = await fetchFolder(new URL('.', manifest));
using sr = await InvSR.load({ device, weights });

const { width, height } = info;
const texture = await sr.upscale({ data: new Uint8ClampedArray(data), width, height });
const result = await readImage(device, texture);
await sharp(result.data, { raw: { width: result.width, height: result.height, channels: 4 } })
  .removeAlpha()
  .toFile(to);
console.log(`${to}, ${result.width}×${result.height}`);
device.destroy();
