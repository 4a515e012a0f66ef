/**
 * Runs one kernel on a device with guard bands around its output and its inputs, and compares with a
 * reference. A write into a band throws; a read from one gives NaN (test/kernels/guards.test.ts).
 *
 * The bands at the ends are part of the bindings: lavapipe checks the bounds of bindings, reads zeros
 * beyond them and drops writes. So it cannot tell of the bands before the start; SwiftShader does.
 */
import {
  byteLength,
  type Kernel,
  packParams,
  sizeOf,
  type TensorType,
} from '../../src/engine/kernel.ts';
import { fromF16Bits, toF16Bits } from './half.ts';

/** Host data of one tensor: f32 values (f16 tensors are converted on the way) or u32. */
export type HostData = Float32Array | Uint32Array;

const GUARD_BYTES = 256;
const GUARD = 0x7e5a_c0de; // as f32 a huge number, as f16 pair a NaN and a small number
const NAN = 0x7fc0_7fc0; // as f32 and as f16 pair

function encode(data: HostData, { dtype }: TensorType): Uint8Array {
  if (dtype !== 'f16') return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const bits = toF16Bits(data as Float32Array);
  return new Uint8Array(bits.buffer, 0, bits.byteLength);
}

type Inputs = Readonly<Record<string, { readonly type: TensorType; readonly data: HostData }>>;

/** The first output of `runKernelOutputs`. */
export const runKernel = async (
  device: GPUDevice,
  kernel: Kernel,
  inputs: Inputs,
  { initial }: { readonly initial?: HostData } = {},
): Promise<HostData> => (await runKernelOutputs(device, kernel, inputs, { initial })).output;

/**
 * Returns the kernel's outputs; throws on validation errors and on any write outside of them.
 *
 * `initial` is the first output's content before the dispatch, for kernels that accumulate.
 */
export async function runKernelOutputs(
  device: GPUDevice,
  kernel: Kernel,
  inputs: Inputs,
  { initial }: { readonly initial?: HostData | undefined } = {},
): Promise<{ readonly output: HostData; readonly moments?: HostData }> {
  const buffers: GPUBuffer[] = [];
  const create = (size: number, usage: GPUBufferUsageFlags): GPUBuffer => {
    const buffer = device.createBuffer({ size: Math.max(16, Math.ceil(size / 4) * 4), usage });
    buffers.push(buffer);
    return buffer;
  };

  const pipeline = await pipelineOf(device, kernel);
  device.pushErrorScope('validation');

  const entries: GPUBindGroupEntry[] = [];
  const params = create(
    packParams(kernel.params).byteLength,
    GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
  );
  device.queue.writeBuffer(params, 0, packParams(kernel.params));
  entries.push({ binding: 0, resource: { buffer: params } });
  for (const [name, binding] of Object.entries(kernel.bindings)) {
    const input = inputs[name];
    if (!input) throw new Error(`${kernel.name}: no data for input ${name}`);
    const data = encode(input.data, input.type);
    if (data.byteLength !== byteLength(input.type)) {
      throw new Error(
        `${kernel.name}.${name}: ${data.byteLength} bytes, type has ${byteLength(input.type)}`,
      );
    }
    const end = GUARD_BYTES + Math.ceil(data.byteLength / 4) * 4 + GUARD_BYTES;
    const buffer = create(end, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST);
    const words = new Uint32Array(end / 4).fill(NAN);
    new Uint8Array(words.buffer).set(data, GUARD_BYTES);
    device.queue.writeBuffer(buffer, 0, words);
    entries.push({ binding, resource: { buffer, offset: GUARD_BYTES } });
  }
  const written = [kernel.output, ...(kernel.moments ? [kernel.moments] : [])].map((one, i) => {
    const total = guardedBytes(one.type);
    const buffer = create(
      total,
      GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
    );
    const filled = new Uint32Array(total / 4).fill(GUARD);
    if (initial && i === 0) {
      new Uint8Array(filled.buffer).set(encode(initial, one.type), GUARD_BYTES);
    }
    device.queue.writeBuffer(buffer, 0, filled);
    entries.push({ binding: one.binding, resource: { buffer, offset: GUARD_BYTES } });
    const staging = create(total, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
    return { ...one, buffer, staging };
  });

  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(...kernel.workgroups);
  pass.end();
  for (const { buffer, staging } of written) {
    encoder.copyBufferToBuffer(buffer, 0, staging, 0, staging.size);
  }
  device.queue.submit([encoder.finish()]);
  const error = await device.popErrorScope();
  if (error) throw new Error(`${kernel.name} ${kernel.variant}: ${error.message}`);
  const copies: ArrayBuffer[] = [];
  for (const { staging } of written) {
    await staging.mapAsync(GPUMapMode.READ);
    copies.push(staging.getMappedRange().slice(0));
    staging.unmap();
  }
  for (const buffer of buffers) buffer.destroy();
  const [output, moments] = written.map(({ type }, i) => unguarded(kernel, type, copies[i]!));
  return { output: output!, ...(moments && { moments }) };
}

/** By device and WGSL: half of the cases differ in sizes only, and compiling is what takes the time. */
const kept = new WeakMap<GPUDevice, Map<string, GPUComputePipeline>>();

async function pipelineOf(device: GPUDevice, kernel: Kernel): Promise<GPUComputePipeline> {
  const known = kept.get(device) ?? new Map<string, GPUComputePipeline>();
  kept.set(device, known);
  const found = known.get(kernel.wgsl);
  if (found) return found;
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code: kernel.wgsl, label: kernel.name });
  const pipeline = device.createComputePipeline({
    layout: 'auto',
    compute: { module, entryPoint: 'main' },
  });
  const scope = device.popErrorScope();
  const info = await module.getCompilationInfo();
  const failed = info.messages.find((m) => m.type === 'error');
  if (failed) {
    const lines = kernel.wgsl
      .split('\n')
      .slice(Math.max(0, failed.lineNum - 3), failed.lineNum + 2);
    throw new Error(`${kernel.name} ${kernel.variant}: ${failed.message}\n${lines.join('\n')}`);
  }
  const error = await scope;
  if (error) throw new Error(`${kernel.name} ${kernel.variant}: ${error.message}`);
  known.set(kernel.wgsl, pipeline);
  return pipeline;
}

const guardedBytes = (type: TensorType): number =>
  GUARD_BYTES + Math.ceil(byteLength(type) / 4) * 4 + GUARD_BYTES;

/** What lies between the guards; throws unless they are whole. */
function unguarded({ name, variant }: Kernel, type: TensorType, copy: ArrayBuffer): HostData {
  const words = new Uint32Array(copy);
  const guards = [
    ...words.subarray(0, GUARD_BYTES / 4),
    ...words.subarray((copy.byteLength - GUARD_BYTES) / 4),
  ];
  const broken = guards.findIndex((word) => word !== GUARD);
  if (broken >= 0) {
    throw new Error(`${name} ${variant}: wrote outside its output (guard word ${broken})`);
  }
  const body = copy.slice(GUARD_BYTES, GUARD_BYTES + byteLength(type));
  if (type.dtype === 'u32') return new Uint32Array(body);
  const values = type.dtype === 'f16' ? fromF16Bits(new Uint16Array(body)) : new Float32Array(body);
  if (values.length !== sizeOf(type.shape)) throw new Error('output size');
  return values;
}

/** Normalised mean squared error: Σ(a-b)² / Σb². Non-finite mismatches give Infinity. */
export function nmse(actual: HostData, expected: HostData): number {
  let error = 0;
  let power = 0;
  for (let i = 0; i < expected.length; i++) {
    const d = actual[i]! - expected[i]!;
    error += d * d;
    power += expected[i]! ** 2;
  }
  const value = power === 0 ? error : error / power;
  return Number.isNaN(value) ? Number.POSITIVE_INFINITY : value;
}

/** Where the largest absolute difference is, with neighbours: for failure messages. */
export function describeWorst(actual: HostData, expected: HostData): string {
  let worst = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const off = Math.abs(actual[i]! - expected[i]!);
    const size = Number.isNaN(actual[i]!) ? Infinity : off;
    if (size > largest) {
      worst = i;
      largest = size;
    }
  }
  const from = Math.max(0, worst - 2);
  const show = (data: HostData) =>
    [...data.subarray(from, worst + 3)].map((v) => v.toPrecision(6)).join(' ');
  return `worst at ${worst} of ${expected.length}: got [${show(actual)}], expected [${show(expected)}]; first five got [${[...actual.subarray(0, 5)].join(' ')}], expected [${[...expected.subarray(0, 5)].join(' ')}]`;
}
