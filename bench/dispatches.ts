/**
 * One kernel ready to be encoded as often as wanted, over inputs that rotate: enough copies of inputs
 * and output that together they exceed the last-level cache, as long as memory allows, so that a run
 * finds no more in caches than the kernel would in a network of large tensors.
 */
import type { EngineContext } from '../src/engine/context.ts';
import { expectWithin } from '../src/engine/device.ts';
import {
  byteLength,
  format,
  type Kernel,
  packParams,
  type TensorType,
} from '../src/engine/kernel.ts';
import type { BenchCase } from './cases.ts';
import { inputBytes } from './input-data.ts';

export interface DispatchesOptions {
  readonly inputs?: Readonly<Record<string, TensorType>>;
  readonly data?: BenchCase['data'];
  readonly aliases?: BenchCase['aliases'];
  /** What all copies together should exceed. @default 64 MiB */
  readonly cacheBytes?: number | undefined;
  /** What they may take. @default 1 GiB, on software adapters 256 MiB */
  readonly maxBytes?: number | undefined;
}

export interface Dispatches {
  readonly copies: number;
  /** `count` dispatches, each over the next copy. */
  encode(pass: GPUComputePassEncoder, count: number): void;
  dispose(): void;
}

const CACHE_BYTES = 64 * 2 ** 20;
const MAX_BYTES = { alu: 2 ** 30, cpu: 2 ** 28 } as const;
/** Bind groups of a case; tensors that this many do not fill a cache with stay in it, as in a network. */
const MAX_COPIES = 64;

/** Throws DeviceError where a tensor does not fit the device, CompileError where the text does not compile. */
export async function openDispatches(
  context: EngineContext,
  kernel: Kernel,
  { inputs = {}, data, aliases = {}, cacheBytes = CACHE_BYTES, maxBytes }: DispatchesOptions,
): Promise<Dispatches> {
  const { device, allocator, capabilities } = context;
  const tensors = { ...inputs, output: kernel.output.type };
  for (const [name, type] of Object.entries(tensors)) {
    const bytes = byteLength(type);
    expectWithin(capabilities, 'maxStorageBufferBindingSize', {
      what: `${kernel.name}: ${name} ${format(type)}`,
      bytes,
    });
  }
  const compiled = await context.pipelines.compile([{ path: kernel.name, kernel }]);
  const entry = compiled.get(kernel.wgsl);
  if (!entry) throw new Error(`${kernel.name} is not compiled`);

  const setBytes = Object.entries(tensors)
    .filter(([name]) => !(name in aliases))
    .reduce((sum, [, type]) => sum + byteLength(type), 0);
  const most = Math.floor((maxBytes ?? MAX_BYTES[context.target.family]) / setBytes);
  const copies = Math.max(1, Math.min(Math.ceil(cacheBytes / setBytes), most, MAX_COPIES));

  const buffers: GPUBuffer[] = [];
  const create = async (label: string, bytes: number, usage: number): Promise<GPUBuffer> => {
    const made = await allocator.create([{ label: `bench ${label}`, bytes, usage }]);
    buffers.push(...made);
    const [buffer] = made;
    if (!buffer) throw new Error(`no buffer for ${label}`);
    return buffer;
  };
  const dispose = (): void => {
    for (const buffer of buffers.splice(0)) allocator.destroy(buffer);
  };
  try {
    const packed = packParams(kernel.params);
    const params = await create(
      'params',
      packed.byteLength,
      GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    );
    device.queue.writeBuffer(params, 0, packed);
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    const groups: GPUBindGroup[] = [];
    const firsts = new Map<string, GPUBuffer>();
    for (let copy = 0; copy < copies; copy++) {
      const entries: GPUBindGroupEntry[] = [{ binding: 0, resource: { buffer: params } }];
      const encoder = device.createCommandEncoder();
      const own = new Map<string, GPUBuffer>();
      for (const [i, [name, type]] of Object.entries(tensors).entries()) {
        const shared = own.get(aliases[name] ?? '');
        const buffer = shared ?? (await create(name, byteLength(type), usage));
        own.set(name, buffer);
        const binding = name === 'output' ? kernel.output.binding : kernel.bindings[name];
        if (binding === undefined) throw new Error(`${kernel.name} has no input ${name}`);
        entries.push({ binding, resource: { buffer } });
        if (name === 'output' || shared) continue;
        const first = firsts.get(name);
        if (first) encoder.copyBufferToBuffer(first, 0, buffer, 0, buffer.size);
        else {
          device.queue.writeBuffer(buffer, 0, inputBytes({ name, type, seed: i + 1 }, data));
          firsts.set(name, buffer);
        }
      }
      device.queue.submit([encoder.finish()]);
      groups.push(device.createBindGroup({ layout: entry.layout, entries }));
    }
    let next = 0;
    return {
      copies,
      encode(pass, count) {
        pass.setPipeline(entry.pipeline);
        for (let i = 0; i < count; i++) {
          pass.setBindGroup(0, groups[next++ % copies]);
          pass.dispatchWorkgroups(...kernel.workgroups);
        }
      },
      dispose,
    };
  } catch (error) {
    dispose();
    throw error;
  }
}
