/** The example at the head of src/index.ts, type-checked; usage-example.test.ts compares them. */
import { InvSR, readImage } from '../../src/index.ts';
import { createDevice, nodeFolder } from '../../src/node.ts';

const { device } = await createDevice(); // browser: a device made with requiredDevice(adapter)
const weights = nodeFolder('weights/invsr-nano'); // browser: its address
const sr = await InvSR.load({ device, weights });
const picture = { width: 64, height: 48, data: new Uint8Array(4 * 64 * 48) }; // or a texture, a canvas …
const sharp = await sr.upscale(picture, { seed: 1 }); // a GPUTexture, 256 x 192, yours
const { data } = await readImage(device, sharp); // rgba8; the only way back from the GPU
sharp.destroy();
sr.dispose();
device.destroy();

export { data };
