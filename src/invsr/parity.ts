/**
 * Exchange with the official code's tensors: NCHW float32 from and to our channels-last buffers.
 * Serves --noise, --dump and the golden tests.
 */
import type { Shape } from '../engine/kernel.ts';
import { roundUp4 } from '../graph/builder.ts';
import { type RawTensor, toF32 } from '../weights/layout.ts';
import type { Buffers } from './buffers.ts';
import type { Tensors } from './model.ts';
import { readTensor, valuesOf } from './read-tensor.ts';
import type { Runner } from './runner.ts';
import { latentSide } from './tile-graph.ts';

export interface NamedDump {
  readonly shape: Shape;
  readonly data: Float32Array;
}

/** Stages by name, e.g. `call0.step0.eps`. */
export type Dump = Map<string, NamedDump>;

/** A parity file lacks a draw or holds it in another shape. */
export class ParityError extends Error {
  override readonly name = 'ParityError';
}

interface DrawName {
  readonly call: number;
  readonly index: 0 | 1;
}
interface DrawShape {
  readonly batch: number;
  readonly channels: number;
  readonly side: number;
}

/** Draw `draws.call<call>.draw<index>` as [B, h, w, C→4] f32. */
export function drawOf(
  tensors: Tensors,
  name: DrawName,
  shape: DrawShape,
): Float32Array<ArrayBuffer> {
  const raw = expectDraw(tensors, name, shape);
  return toNhwc(toF32(raw), raw.shape);
}

/** The draw as it is in the file; ParityError where it is missing or of another shape. */
export function expectDraw(
  tensors: Tensors,
  { call, index }: DrawName,
  shape: DrawShape,
): RawTensor {
  const name = `draws.call${call}.draw${index}`;
  const raw = tensors.get(name);
  const expected = [shape.batch, shape.channels, shape.side, shape.side];
  if (!raw || raw.shape.join() !== expected.join()) {
    throw new ParityError(
      `the noise file has ${raw ? `${name} as [${raw.shape.join(',')}]` : `no ${name}`}, expected [${expected.join(',')}]; it must come from a run with the same image, --tile, --overlap and --tile-batch`,
    );
  }
  return raw;
}

/** [N, C, H, W] → [N, H, W, C→4], new channels zero. */
export function toNhwc(data: Float32Array, shape: Shape): Float32Array<ArrayBuffer> {
  const [n = 1, c = 1, h = 1, w = 1] = shape;
  const stride = roundUp4(c);
  const out = new Float32Array(n * h * w * stride);
  for (let b = 0; b < n; b++) {
    for (let k = 0; k < c; k++) {
      const from = (b * c + k) * h * w;
      const to = b * h * w * stride + k;
      for (let i = 0; i < h * w; i++) out[to + i * stride] = data[from + i] ?? 0;
    }
  }
  return out;
}

/** [N, H, W, stride] → channels [from, from + count) as [N, count, H, W]. */
export function toNchw(
  data: Float32Array,
  shape: Shape,
  { from = 0, count }: { readonly from?: number; readonly count: number },
): NamedDump {
  const [n = 1, h = 1, w = 1, stride = 1] = shape;
  const out = new Float32Array(n * count * h * w);
  for (let b = 0; b < n; b++) {
    for (let k = 0; k < count; k++) {
      const to = (b * count + k) * h * w;
      const source = b * h * w * stride + from + k;
      for (let i = 0; i < h * w; i++) out[to + i] = data[source + i * stride] ?? 0;
    }
  }
  return { shape: [n, count, h, w], data: out };
}

/** Reads every named tensor of a runner's last run into `dump`, moments split into mean and logvar. */
export async function dumpNamed(
  device: GPUDevice,
  runner: Runner,
  buffers: Buffers,
  prefix: string,
  dump: Dump,
): Promise<void> {
  for (const [name, { channels }] of Object.entries(runner.plan.named)) {
    const read = await readTensor(device, runner.at(name, buffers));
    const { type } = read;
    if (type.dtype === 'u32') continue; // a watch's flags
    const data = valuesOf(read);
    if (type.shape.length !== 4) {
      dump.set(prefix + name, { shape: type.shape, data }); // a sequence [N, L, C]
      continue;
    }
    if (!name.endsWith('_moments')) {
      dump.set(prefix + name, toNchw(data, type.shape, { count: channels }));
      continue;
    }
    const stem = prefix + name.replace(/_moments$/, '');
    const half = channels / 2;
    dump.set(`${stem}_mean`, toNchw(data, type.shape, { count: half }));
    const logvar = toNchw(data, type.shape, { from: half, count: half });
    // As the official posterior clamps it.
    dump.set(`${stem}_logvar`, {
      ...logvar,
      data: logvar.data.map((v) => Math.min(20, Math.max(-30, v))),
    });
  }
}

interface DrawOptions {
  readonly tile: number;
  readonly latentChannels: number;
}

/** The draws of batch number `call`, from the file. */
export async function writeDraws(
  buffers: Buffers,
  noise: Tensors,
  {
    call,
    count,
    tile,
    latentChannels,
  }: DrawOptions & { readonly call: number; readonly count: number },
): Promise<void> {
  const shape = { batch: count, channels: latentChannels, side: latentSide(tile) };
  await buffers.write('draw0', drawOf(noise, { call, index: 0 }, shape));
  await buffers.write('draw1', drawOf(noise, { call, index: 1 }, shape));
}

/** ParityError unless every draw of `count` tiles is there and fits. */
export function checkDraws(
  noise: Tensors,
  {
    count,
    tileBatch,
    tile,
    latentChannels,
  }: DrawOptions & { readonly count: number; readonly tileBatch: number },
): void {
  for (let first = 0, call = 0; first < count; first += tileBatch, call++) {
    const batch = Math.min(tileBatch, count - first);
    const shape = { batch, channels: latentChannels, side: latentSide(tile) };
    for (const index of [0, 1] as const) expectDraw(noise, { call, index }, shape);
  }
}
