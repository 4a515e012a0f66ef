/**
 * Pipelines of image passes, one per text and device; they belong to the device, as those of
 * pipelines.ts do, whose layouts are of buffers alone.
 */
import { inScope } from './error-scope.ts';
import { CompileError } from './errors.ts';

/** Values made once per device and key; those that fail are forgotten. */
function keptByDevice<T>(): (device: GPUDevice, key: string, make: () => Promise<T>) => Promise<T> {
  const caches = new WeakMap<GPUDevice, Map<string, Promise<T>>>();
  return (device, key, make) => {
    const cache = caches.get(device) ?? new Map<string, Promise<T>>();
    caches.set(device, cache);
    const known = cache.get(key);
    if (known) return known;
    const made = make();
    cache.set(key, made);
    made.catch(() => cache.delete(key));
    return made;
  };
}

const computePipelines = keptByDevice<GPUComputePipeline>();
const renderPipelines = keptByDevice<GPURenderPipeline>();

const LABEL = 'invsr/image';

/** A compute pipeline of `main`. */
export const computePipeline = (device: GPUDevice, code: string): Promise<GPUComputePipeline> =>
  computePipelines(device, code, () =>
    compile(device, code, (module) =>
      device.createComputePipelineAsync({
        label: LABEL,
        layout: 'auto',
        compute: { module, entryPoint: 'main' },
      }),
    ),
  );

/** A render pipeline of `cover` and `main`, onto a texture of `format`. */
export const renderPipeline = (
  device: GPUDevice,
  code: string,
  format: GPUTextureFormat,
): Promise<GPURenderPipeline> =>
  renderPipelines(device, `${format} ${code}`, () =>
    compile(device, code, (module) =>
      device.createRenderPipelineAsync({
        label: LABEL,
        layout: 'auto',
        vertex: { module, entryPoint: 'cover' },
        fragment: { module, entryPoint: 'main', targets: [{ format }] },
      }),
    ),
  );

async function compile<T>(
  device: GPUDevice,
  code: string,
  make: (module: GPUShaderModule) => Promise<T>,
): Promise<T> {
  const { result: module, error: refused } = inScope(device, 'validation', () =>
    device.createShaderModule({ label: LABEL, code }),
  );
  try {
    return await make(module);
  } catch (error) {
    const message = (await refused.catch(() => undefined)) ?? String(error);
    throw new CompileError('image pass', LABEL, message, '');
  }
}
