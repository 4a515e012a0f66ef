/**
 * Node: a folder of pictures through class InvSR on one device, with progress and Ctrl-C.
 *
 *   npm run examples -- node-batch examples/images out/large
 *
 * Pictures too large for the device's memory as a whole are the command line's: `npx invsr upscale`.
 */
import { mkdir, readdir } from 'node:fs/promises';
import { join, parse } from 'node:path';
import { InvSR, type Progress, readImage } from 'invsr-webgpu';
import { createDevice, nodeFolder } from 'invsr-webgpu/node';
import sharp from 'sharp';

const [from, to] = process.argv.slice(2);
if (!from || !to) throw new Error('which folder, and where to?');
const names = (await readdir(from)).filter((name) =>
  /\.(?:png|jpe?g|webp|avif|tiff?)$/i.test(name),
);
await mkdir(to, { recursive: true });

const stop = new AbortController();
process.once('SIGINT', () => stop.abort());
const { signal } = stop;

const { device } = await createDevice();
try {
  using sr = await InvSR.load({ device, weights: nodeFolder('weights/invsr-nano'), signal });
  for (const [i, name] of names.entries()) {
    const { data, info } = await sharp(join(from, name))
      .autoOrient()
      .toColourspace('srgb')
      .ensureAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    const texture = await sr.upscale(
      { data: new Uint8ClampedArray(data), width: info.width, height: info.height },
      { signal, onProgress: (progress) => show(`${i + 1}/${names.length} ${name}`, progress) },
    );
    const { data: pixels, width, height } = await readImage(device, texture);
    texture.destroy();
    const path = join(to, `${parse(name).name}-x4.png`);
    await sharp(pixels, { raw: { width, height, channels: 4 } })
      .removeAlpha()
      .toFile(path);
    console.log(`\r${i + 1}/${names.length} ${name} → ${path}, ${width}×${height}`);
  }
} catch (error) {
  if (!signal.aborted) throw error;
  console.error('stopped; the pictures that are done stay');
  process.exitCode = 130;
} finally {
  device.destroy();
}

function show(name: string, progress: Progress): void {
  if (progress.phase !== 'run') return;
  process.stdout.write(`\r${name} ${Math.round((100 * progress.done) / progress.total)} %`);
}
