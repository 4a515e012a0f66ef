/**
 * onnxruntime-node in a process of its own: it carries a Dawn of its own, and Vulkan drivers are
 * chosen by the environment the process starts with.
 *
 *   → { id, open: { key, model: Uint8Array, layout, isStrict, feeds: { name: { shape, data } } } }
 *   → { id, run: { key } }
 *   → { id, info: true }
 *   ← { id, ...answer } or { id, error }
 */
import { readFileSync } from 'node:fs';
import ort from 'onnxruntime-node';

const sessions = new Map();

const commands = {
  async open({ key, model, layout, isStrict, feeds }) {
    const session = await ort.InferenceSession.create(model, {
      executionProviders: [{ name: 'webgpu', preferredLayout: layout }],
      logSeverityLevel: 3,
      // Refused rather than partly run by ORT's CPU kernels.
      ...(isStrict && { extra: { session: { disable_cpu_ep_fallback: '1' } } }),
    });
    const tensors = Object.entries(feeds).map(([name, { shape, data }]) => [
      name,
      new ort.Tensor('float32', data, shape),
    ]);
    sessions.set(key, { session, feeds: Object.fromEntries(tensors) });
    return {};
  },

  /** Wall time of `run`, which uploads the inputs and reads the output back. */
  async run({ key }) {
    const { session, feeds } = sessions.get(key);
    const start = performance.now();
    const results = await session.run(feeds);
    const { data } = results[session.outputNames[0]];
    return { milliseconds: performance.now() - start, values: data };
  },

  async close({ key }) {
    await sessions.get(key).session.release();
    sessions.delete(key);
    return {};
  },

  /** Vulkan drivers mapped into this process: proof of what WebGPU runs on. */
  async info() {
    let maps = '';
    try {
      maps = readFileSync('/proc/self/maps', 'utf8');
    } catch {
      // not Linux
    }
    const drivers = [
      ...maps.matchAll(/\/(lib(?:vulkan_|vk_|nvidia-gpucomp|GLX_nvidia)[^/\n]*)$/gm),
    ];
    return { drivers: [...new Set(drivers.map(([, name]) => name))] };
  },
};

process.on('message', async ({ id, command, argument }) => {
  try {
    process.send({ id, answer: await commands[command](argument) });
  } catch (error) {
    process.send({ id, error: String(error?.message ?? error) });
  }
});
