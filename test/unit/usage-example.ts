/** The example at the head of src/index.ts, type-checked; usage-example.test.ts compares them. */
import { InvSR, readImage } from '../../src/index.ts';
import { createDevice, nodeFolder } from '../../src/node.ts';

const { device } = await createDevice(); // browser: adapter.requestDevice(requiredDevice(adapter))
const sr = await InvSR.load({ device, weights: nodeFolder('weights/invsr-nano') }); // or an address
const picture = { width: 64, height: 48, data: new Uint8ClampedArray(4 * 64 * 48) }; // or a texture, canvas, …
const texture = await sr.upscale(picture, { seed: 1 }); // 256 x 192, on your device
const { data } = await readImage(device, texture); // where the page needs the pixels
texture.destroy();
sr.dispose();
device.destroy();

export { data };
