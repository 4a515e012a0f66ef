/**
 * Batches of bytes from the host, each followed by dispatches that read them.
 *
 *   submit   copies a batch into one of a few raw buffers and dispatches kernels over it: input `raw`
 *            is that buffer, the output a buffer of the caller's
 *
 * It waits only while all raw buffers are under way, so that copies, kernels and the caller's reads
 * overlap, and never holds more than these buffers and the queue's copies of them. The caller's
 * memory is free again when `submit` returns.
 */
import type { EngineContext } from './context.ts';
import { inScope } from './error-scope.ts';
import { type Kernel, packParams } from './kernel.ts';
import { workDone } from './nudge.ts';
import type { Compiled } from './pipelines.ts';

export interface UploadJob {
  readonly kernel: Kernel;
  readonly output: GPUBuffer;
}

export interface UploaderOptions {
  /** Of the largest batch. */
  readonly batchBytes: number;
  /** Most jobs of a batch. */
  readonly jobs: number;
  /** Pipelines of the jobs' kernels by their text. */
  readonly compiled: ReadonlyMap<string, Compiled>;
}

/** One is filled while the device works on the other; the third hides the wake-ups between. */
const SLOTS = 3;

/** Memory that uploads take on the device besides the weights, at most: with the queue's copies. */
export const stagingBytesOf = (batchBytes: number): number => 2 * SLOTS * batchBytes;

interface Slot {
  readonly raw: GPUBuffer;
  readonly params: GPUBuffer;
  /** Resolves to an error message or nothing when the device is done with it. */
  done: Promise<string | undefined>;
}

export class Uploader {
  readonly #context: EngineContext;
  readonly #compiled: UploaderOptions['compiled'];
  readonly #slots: readonly Slot[];
  #next = 0;

  private constructor(
    context: EngineContext,
    compiled: UploaderOptions['compiled'],
    slots: readonly Slot[],
  ) {
    this.#context = context;
    this.#compiled = compiled;
    this.#slots = slots;
  }

  static async create(
    context: EngineContext,
    { batchBytes, jobs, compiled }: UploaderOptions,
  ): Promise<Uploader> {
    const { COPY_DST, STORAGE, UNIFORM } = GPUBufferUsage;
    const requests = Array.from({ length: SLOTS }, (_, i) => [
      { label: `upload ${i}`, bytes: batchBytes, usage: STORAGE | COPY_DST },
      { label: `upload params ${i}`, bytes: jobs * strideOf(context), usage: UNIFORM | COPY_DST },
    ]);
    const buffers = await context.allocator.create(requests.flat());
    const slots = Array.from({ length: SLOTS }, (_, i) => {
      const [raw, params] = [buffers[2 * i], buffers[2 * i + 1]];
      if (!raw || !params) throw new Error('no upload buffers');
      return { raw, params, done: Promise.resolve(undefined) };
    });
    return new Uploader(context, compiled, slots);
  }

  /** `offset`: where the kernels expect the batch's first byte; a multiple of 4. */
  async submit(
    batch: Uint8Array<ArrayBuffer>,
    offset: number,
    jobs: readonly UploadJob[],
  ): Promise<void> {
    const slot = this.#slots[this.#next++ % SLOTS];
    if (!slot) return;
    const error = await slot.done;
    if (error !== undefined) throw new Error(error);
    slot.done = this.#submit(slot, batch, offset, jobs);
    // Nobody may ask for it, after an abort.
    slot.done.catch(() => {});
  }

  #submit(
    { raw, params }: Slot,
    batch: Uint8Array<ArrayBuffer>,
    offset: number,
    jobs: readonly UploadJob[],
  ): Promise<string | undefined> {
    const { device } = this.#context;
    const stride = strideOf(this.#context);
    const packed = new Uint8Array(jobs.length * stride);
    const { error } = inScope(device, 'validation', () => {
      device.queue.writeBuffer(raw, offset, batch);
      const encoder = device.createCommandEncoder({ label: 'invsr/upload' });
      const pass = encoder.beginComputePass({ label: 'invsr/upload' });
      let current: GPUComputePipeline | undefined;
      for (const [i, { kernel, output }] of jobs.entries()) {
        const entry = this.#compiled.get(kernel.wgsl);
        if (!entry) throw new Error(`${kernel.name} ${kernel.variant} is not compiled`);
        const struct = new Uint8Array(packParams(kernel.params));
        packed.set(struct, i * stride);
        if (entry.pipeline !== current) pass.setPipeline(entry.pipeline);
        current = entry.pipeline;
        const range = { buffer: params, offset: i * stride, size: struct.length };
        const group = device.createBindGroup({
          label: `invsr/upload ${kernel.variant}`,
          layout: entry.layout,
          entries: [
            { binding: 0, resource: range },
            ...Object.values(kernel.bindings).map((binding) => ({
              binding,
              resource: { buffer: raw },
            })),
            { binding: kernel.output.binding, resource: { buffer: output } },
          ],
        });
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(...kernel.workgroups);
      }
      pass.end();
      device.queue.writeBuffer(params, 0, packed);
      device.queue.submit([encoder.finish()]);
    });
    const finished = workDone(device);
    return Promise.all([error, finished]).then(([message]) => message);
  }

  /** Waits for everything submitted and frees the buffers; throws where the device refused some. */
  async close(): Promise<void> {
    const ends = await Promise.allSettled(this.#slots.map(({ done }) => done));
    for (const { raw, params } of this.#slots) {
      this.#context.allocator.destroy(raw);
      this.#context.allocator.destroy(params);
    }
    for (const end of ends) {
      if (end.status === 'rejected') throw end.reason;
      if (end.value !== undefined) throw new Error(end.value);
    }
  }
}

const strideOf = ({ capabilities }: EngineContext): number =>
  capabilities.limits.minUniformBufferOffsetAlignment;
