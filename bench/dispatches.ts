/**
 * One case's dispatches ready to be encoded as often as wanted, over tensors that rotate: enough copies
 * that together they exceed the last-level cache, as long as memory allows, so that a run finds no more
 * in caches than the kernel would in a network of large tensors.
 */
import type { EngineContext } from '../src/engine/context.ts';
import { expectWithin } from '../src/engine/device.ts';
import { byteLength, format, packParams, type TensorType } from '../src/engine/kernel.ts';
import type { BenchCase } from './cases.ts';
import { inputBytes } from './input-data.ts';
import type { Step } from './steps.ts';

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
  /** The steps `count` times, each time over the next copy; those that prepare are done. */
  encode(pass: GPUComputePassEncoder, count: number): void;
  dispose(): void;
}

const CACHE_BYTES = 64 * 2 ** 20;
const MAX_BYTES = { alu: 2 ** 30, cpu: 2 ** 28 } as const;
/** Bind groups of a case; tensors that this many do not fill a cache with stay in it, as in a network. */
const MAX_COPIES = 64;

/** Throws DeviceError where a tensor does not fit the device, CompileError where a text does not compile. */
export async function openDispatches(
  context: EngineContext,
  steps: readonly Step[],
  { inputs = {}, data, aliases = {}, cacheBytes = CACHE_BYTES, maxBytes }: DispatchesOptions,
): Promise<Dispatches> {
  const { device, allocator, capabilities } = context;
  const outputs = steps.flatMap(({ kernel, output }) => [
    [output, kernel.output.type] as const,
    ...(kernel.moments ? [[momentsOf(output), kernel.moments.type] as const] : []),
  ]);
  const tensors = { ...inputs, ...Object.fromEntries(outputs) };
  for (const [name, type] of Object.entries(tensors)) {
    const what = `${steps[0]?.kernel.name}: ${name} ${format(type)}`;
    expectWithin(capabilities, 'maxStorageBufferBindingSize', { what, bytes: byteLength(type) });
  }
  const requests = steps.map(({ kernel }) => ({ path: kernel.name, kernel }));
  const compiled = await context.pipelines.compile(requests);

  const own = Object.entries(tensors).filter(([name]) => !(name in aliases));
  const setBytes = own.reduce((sum, [, type]) => sum + byteLength(type), 0);
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

  /** A set of all tensors; inputs are filled from the first set. */
  async function makeSet(first: Tensors | undefined): Promise<Tensors> {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    const set = new Map<string, GPUBuffer>();
    const encoder = device.createCommandEncoder();
    for (const [i, [name, type]] of own.entries()) {
      const buffer = await create(name, byteLength(type), usage);
      set.set(name, buffer);
      if (!(name in inputs)) continue;
      const source = first?.get(name);
      if (source) encoder.copyBufferToBuffer(source, 0, buffer, 0, buffer.size);
      else device.queue.writeBuffer(buffer, 0, inputBytes({ name, type, seed: i + 1 }, data));
    }
    device.queue.submit([encoder.finish()]);
    return set;
  }

  async function makeParams({ kernel }: Step): Promise<GPUBuffer> {
    const packed = packParams(kernel.params);
    const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
    const buffer = await create('params', packed.byteLength, usage);
    device.queue.writeBuffer(buffer, 0, packed);
    return buffer;
  }

  try {
    const sets = [await makeSet(undefined)];
    while (sets.length < copies) sets.push(await makeSet(sets[0]));
    const bound: { step: Step; pipeline: GPUComputePipeline; groups: GPUBindGroup[] }[] = [];
    for (const step of steps) {
      const { kernel } = step;
      const entry = compiled.get(kernel.wgsl);
      if (!entry) throw new Error(`${kernel.name} is not compiled`);
      const params = await makeParams(step);
      const groups = sets.map((set) => {
        const at = (binding: number, name: string): GPUBindGroupEntry => {
          const buffer = set.get(aliases[name] ?? name);
          if (!buffer) throw new Error(`${kernel.name}: no tensor ${name}`);
          return { binding, resource: { buffer } };
        };
        const entries = [
          { binding: 0, resource: { buffer: params } },
          ...Object.entries(kernel.bindings).map(([name, n]) => at(n, step.inputs[name] ?? name)),
          at(kernel.output.binding, step.output),
          ...(kernel.moments ? [at(kernel.moments.binding, momentsOf(step.output))] : []),
        ];
        return device.createBindGroup({ layout: entry.layout, entries });
      });
      bound.push({ step, pipeline: entry.pipeline, groups });
    }
    const once = bound.filter(({ step }) => step.isPrepared === true);
    const timed = bound.filter(({ step }) => step.isPrepared !== true);
    const encodeOver = (pass: GPUComputePassEncoder, copy: number, some: typeof bound): void => {
      for (const { step, pipeline, groups } of some) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, groups[copy]);
        pass.dispatchWorkgroups(...step.kernel.workgroups);
      }
    };
    const encoder = device.createCommandEncoder();
    const preparing = encoder.beginComputePass();
    for (let copy = 0; copy < copies; copy++) encodeOver(preparing, copy, once);
    preparing.end();
    device.queue.submit([encoder.finish()]);
    let next = 0;
    return {
      copies,
      encode(pass, count) {
        for (let i = 0; i < count; i++) encodeOver(pass, next++ % copies, timed);
      },
      dispose,
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

type Tensors = ReadonlyMap<string, GPUBuffer>;

const momentsOf = (output: string): string => `moments of ${output}`;
