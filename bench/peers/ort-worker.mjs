/**
 * onnxruntime-node in a process of its own: it carries a Dawn of its own, and Vulkan drivers are
 * chosen by the environment the process starts with.
 *
 *   → { id, open: { key, model: Uint8Array, layout, isStrict, isProfiled, feeds } }
 *   → { id, run: { key } }
 *   → { id, timings: { key } }      of a profiled session; ends its profile
 *   → { id, info: true }
 *   ← { id, ...answer } or { id, error }
 *
 * `feeds` is { name: { shape, data } } with f16 as the bits of its halves in a Uint16Array.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ort from 'onnxruntime-node';

const sessions = new Map();

const commands = {
  async open({ key, model, layout, isStrict, isProfiled, feeds }) {
    const folder = isProfiled ? mkdtempSync(join(tmpdir(), 'invsr-ort-')) : undefined;
    try {
      const session = await ort.InferenceSession.create(model, {
        executionProviders: [{ name: 'webgpu', preferredLayout: layout }],
        logSeverityLevel: 4, // errors come back as such
        ...(folder && { enableProfiling: true, profileFilePrefix: join(folder, 'profile') }),
        // Refused rather than partly run by ORT's CPU kernels.
        ...(isStrict && { extra: { session: { disable_cpu_ep_fallback: '1' } } }),
      });
      const tensors = Object.entries(feeds).map(([name, { shape, data }]) => [
        name,
        new ort.Tensor(data instanceof Uint16Array ? 'float16' : 'float32', data, shape),
      ]);
      sessions.set(key, { session, folder, feeds: Object.fromEntries(tensors) });
      return {};
    } catch (error) {
      if (folder) rmSync(folder, { recursive: true });
      throw error;
    }
  },

  /** Wall time of `run`, which uploads the inputs and reads the output back. */
  async run({ key }) {
    const { session, feeds } = sessions.get(key);
    const start = performance.now();
    const results = await session.run(feeds);
    const { data } = results[session.outputNames[0]];
    return { milliseconds: performance.now() - start, values: data };
  },

  /** GPU time of every kernel of every run, by the provider's own timestamp queries. */
  async timings({ key }) {
    const { session, folder } = sessions.get(key);
    session.endProfiling();
    const [file] = readdirSync(folder);
    const events = JSON.parse(readFileSync(join(folder, file), 'utf8'));
    const kernels = events
      .filter(({ cat }) => cat === 'Api')
      .map(({ name, dur }) => {
        const [node, op, program] = name.split('&');
        return { node, op, program, milliseconds: dur / 1000 };
      });
    // Every run has the same ones. Where GPU time and the host's run apart, their times of day do
    // not tell which run they are of.
    const count = events.filter(({ name }) => name === 'model_run').length;
    const each = kernels.length / count;
    const isRepeated = kernels.every(({ node }, i) => node === kernels[i % each]?.node);
    if (!isRepeated) throw new Error('runs differ in their kernels');
    const runs = Array.from({ length: count }, (_, i) => kernels.slice(i * each, (i + 1) * each));
    return { runs };
  },

  async close({ key }) {
    const { session, folder } = sessions.get(key);
    await session.release();
    if (folder) rmSync(folder, { recursive: true });
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

async function answer({ id, command, argument }) {
  try {
    process.send({ id, answer: await commands[command](argument) });
  } catch (error) {
    process.send({ id, error: String(error?.message ?? error) });
  }
}

process.on('message', (message) => void answer(message));
