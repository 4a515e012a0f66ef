/** The example at the head of src/index.ts, type-checked; usage-example.test.ts compares them. */
import { createContext, openModel, Upscaler } from '../../src/index.ts';
import { createDevice, nodeFolder } from '../../src/node.ts';

const { device } = await createDevice(); // browser: a device made with requiredDevice(adapter)
const context = createContext(device);
const model = await openModel(nodeFolder('weights/invsr-nano')); // browser: urlFolder(address)
const upscaler = new Upscaler(context, model, { colorFix: 'wavelet' });
const picture = { width: 64, height: 48, pixels: new Uint8Array(4 * 64 * 48) }; // rgba8
const { width, height, pixels } = await upscaler.upscale(picture, { seed: 1 }); // 256 x 192
upscaler.dispose();
context.dispose();
await model.close();
device.destroy();

export { height, pixels, width };
