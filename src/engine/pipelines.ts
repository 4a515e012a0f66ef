/**
 * Compute pipelines, one per WGSL text and device, compiled in parallel. The cache belongs to the
 * device (a WeakMap), so that every plan and every instance on it shares them.
 *
 * Bind group layouts are explicit, from the kernel's binding numbers: binding 0 a uniform buffer,
 * inputs read-only storage, outputs storage.
 */
import { inScope } from './error-scope.ts';
import { CompileError, excerptOf } from './errors.ts';
import type { Kernel } from './kernel.ts';
import { letGo } from './slices.ts';

export interface Compiled {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** By WGSL text. */
export type Pipelines = ReadonlyMap<string, Compiled>;

export interface CompileRequest {
  /** Layer path of the first dispatch that uses the kernel, for the error message. */
  readonly path: string;
  readonly kernel: Kernel;
}

export interface CompileOptions {
  /** Called after each new pipeline, `total` counting the distinct texts asked for. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Stops new compilations; those under way are kept in the cache. */
  readonly signal?: AbortSignal | undefined;
}

export interface PipelineCache {
  /** Rejects with CompileError, naming the layer. */
  compile(requests: readonly CompileRequest[], options?: CompileOptions): Promise<Pipelines>;
}

const entry = (binding: number, type: GPUBufferBindingType): GPUBindGroupLayoutEntry => ({
  binding,
  visibility: GPUShaderStage.COMPUTE,
  buffer: { type },
});

/** Compilations under way at a time: enough for a driver's threads, few enough for a prompt abort. */
const PARALLEL = 4;

const caches = new WeakMap<GPUDevice, PipelineCache>();

export function pipelineCacheOf(device: GPUDevice): PipelineCache {
  const cached = caches.get(device);
  if (cached) return cached;
  const cache = createPipelineCache(device);
  caches.set(device, cache);
  return cache;
}

function createPipelineCache(device: GPUDevice): PipelineCache {
  const layouts = new Map<string, GPUBindGroupLayout>();
  const compiled = new Map<string, Promise<Compiled>>();

  function layoutOf({ bindings, output, moments }: Kernel): GPUBindGroupLayout {
    const inputs = Object.values(bindings);
    const written = [output, ...(moments ? [moments] : [])].map(({ binding }) => binding);
    const key = `${inputs.join()}→${written.join()}`;
    let layout = layouts.get(key);
    if (!layout) {
      layout = device.createBindGroupLayout({
        label: `invsr/${key}`,
        entries: [
          entry(0, 'uniform'),
          ...inputs.map((binding) => entry(binding, 'read-only-storage')),
          ...written.map((binding) => entry(binding, 'storage')),
        ],
      });
      layouts.set(key, layout);
    }
    return layout;
  }

  async function compileOne({ path, kernel }: CompileRequest): Promise<Compiled> {
    const label = `invsr/${kernel.name}`;
    // A bad module raises an error of its own besides the pipeline's rejection. The scope keeps it
    // from the owner's handler.
    const { result, error: refused } = inScope(device, 'validation', () => {
      const layout = layoutOf(kernel);
      const module = device.createShaderModule({ label, code: kernel.wgsl });
      const pipelineLayout = device.createPipelineLayout({ label, bindGroupLayouts: [layout] });
      return { layout, module, pipelineLayout };
    });
    const { layout, module, pipelineLayout } = result;
    try {
      const pipeline = await device.createComputePipelineAsync({
        label,
        layout: pipelineLayout,
        compute: { module, entryPoint: 'main' },
      });
      return { pipeline, layout };
    } catch (error) {
      // The rejection only says that the module is invalid; the reason is with the module.
      const { messages } = await module.getCompilationInfo();
      const first = messages.find(({ type }) => type === 'error');
      throw new CompileError(
        `${kernel.name} ${kernel.variant}`,
        path,
        first?.message ?? (await refused.catch(() => undefined)) ?? String(error),
        first ? excerptOf(kernel.wgsl, first.lineNum) : '',
      );
    }
  }

  function compileCached(request: CompileRequest): Promise<Compiled> {
    const key = request.kernel.wgsl;
    const cached = compiled.get(key);
    if (cached) return cached;
    const promise = compileOne(request);
    compiled.set(key, promise);
    promise.catch(() => compiled.delete(key));
    return promise;
  }

  return {
    async compile(requests, { onProgress, signal } = {}) {
      const distinct = new Map<string, CompileRequest>();
      for (const request of requests) {
        await letGo();
        const { wgsl } = request.kernel;
        if (!distinct.has(wgsl)) distinct.set(wgsl, request); // the first user gives the path
      }
      const queue = [...distinct];
      const result = new Map<string, Compiled>();
      let next = 0;
      const worker = async (): Promise<void> => {
        for (let item = queue[next++]; item; item = queue[next++]) {
          await letGo();
          signal?.throwIfAborted();
          result.set(item[0], await compileCached(item[1]));
          onProgress?.(result.size, distinct.size);
        }
      };
      // Returns with nothing under way, even after an abort: the caller may destroy the device, and
      // that would block until the driver's compiler is done.
      const workers = Array.from({ length: PARALLEL }, async () => {
        try {
          await worker();
        } catch (error) {
          next = queue.length;
          throw error;
        }
      });
      const failed = (await Promise.allSettled(workers)).find((one) => one.status === 'rejected');
      if (failed) throw failed.reason;
      return result;
    },
  };
}
