/**
 * A plan's dispatches bound to buffers: locations resolved, parameters packed into one uniform
 * buffer, bind groups cached.
 */
import { bufferSize } from './allocator.ts';
import type { EngineContext } from './context.ts';
import { byteLength, format, packParams, type TensorType } from './kernel.ts';
import type { Pipelines } from './pipelines.ts';
import { type Dispatch, dispatchesOf, type Location, type Plan } from './plan.ts';
import type { SlotLease, SlotRequest } from './slot-pool.ts';
import { workOf } from './submits.ts';

export type Externals = Readonly<Record<string, GPUBuffer>>;

/**
 * Dispatches ready to be encoded, again and again. What the loop over them reads lies in flat arrays;
 * bind groups are made at first use and kept, until an external they bind is another buffer or weights
 * were freed.
 */
export interface BoundPlan {
  readonly dispatches: readonly Dispatch[];
  /** Of each dispatch, in the unit of submits.ts. */
  readonly work: readonly number[];
  /** The caller's buffers from now on. */
  use(externals: Externals): void;
  /** Encodes dispatches `start` to `end` (exclusive). */
  encode(pass: GPUComputePassEncoder, start: number, end: number): void;
}

/** All uniform structs of a plan in one buffer, and where each of them lies. */
export interface PackedParams {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly ranges: readonly { readonly offset: number; readonly size: number }[];
}

/** `alignment` is the device's minUniformBufferOffsetAlignment. */
export function packPlanParams(dispatches: readonly Dispatch[], alignment: number): PackedParams {
  const structs = dispatches.map(({ kernel }) => new Uint8Array(packParams(kernel.params)));
  let end = 0;
  const ranges = structs.map(({ byteLength: size }) => {
    const offset = Math.ceil(end / alignment) * alignment;
    end = offset + size;
    return { offset, size };
  });
  const bytes = new Uint8Array(end);
  for (const [i, struct] of structs.entries()) bytes.set(struct, ranges[i]?.offset ?? 0);
  return { bytes, ranges };
}

/** What a dispatch writes, where, and by which binding. */
function writtenBy({ kernel, output, moments }: Dispatch) {
  const first = { ...kernel.output, location: output };
  return kernel.moments && moments ? [first, { ...kernel.moments, location: moments }] : [first];
}

/** What to lease for a plan. Persistent slots must survive, so no other plan gets them. */
export function slotRequests(plan: Plan): SlotRequest[] {
  const largest = new Map<number, { readonly path: string; readonly type: TensorType }>();
  for (const dispatch of dispatchesOf(plan)) {
    for (const { location, type } of writtenBy(dispatch)) {
      if (location.kind !== 'slot') continue;
      const best = largest.get(location.index);
      if (best && byteLength(type) <= byteLength(best.type)) continue;
      largest.set(location.index, { path: dispatch.path, type });
    }
  }
  return plan.slots.map(({ bytes, persistent }, index) => {
    const tensor = largest.get(index);
    const what = tensor ? `${tensor.path} ${format(tensor.type)}` : `slot ${index}`;
    return { bytes, what, isExclusive: persistent };
  });
}

/** What each dispatch binds, in words. */
export function bindingsOf(plan: Plan): { readonly what: string; readonly bytes: number }[] {
  return dispatchesOf(plan).flatMap((dispatch) => {
    const { path, inputs } = dispatch;
    const read = Object.entries(inputs).map(([input, at]) => {
      const whole =
        at.kind === 'external'
          ? plan.externals[at.name]
          : at.kind === 'weight'
            ? plan.weights[at.index]?.type
            : undefined;
      const name = at.kind === 'external' ? at.name : `${path}: ${input}`;
      const bytes = at.kind === 'weight' ? undefined : at.bytes;
      return {
        what: whole ? `${name} ${format(whole)}` : name,
        bytes: bytes ?? (whole ? byteLength(whole) : 0),
      };
    });
    const written = writtenBy(dispatch).map(({ type }) => ({
      what: `${path} ${format(type)}`,
      bytes: byteLength(type),
    }));
    return [...read, ...written];
  });
}

export interface BindSources {
  readonly plan: Plan;
  readonly slots: SlotLease;
  readonly params: GPUBuffer;
  readonly ranges: PackedParams['ranges'];
  readonly compiled: Pipelines;
}

/** Some of the plan's dispatches, which begin with number `first` of `prepare` and `dispatches` together. */
export function bindDispatches(
  context: EngineContext,
  sources: BindSources,
  dispatches: readonly Dispatch[],
  first: number,
): BoundPlan {
  const { params, ranges, compiled } = sources;
  const layouts = dispatches.map((dispatch) => {
    const { path, kernel, inputs } = dispatch;
    const entry = compiled.get(kernel.wgsl);
    if (!entry) throw new Error(`${path}: ${kernel.name} is not compiled`);
    const bindings = Object.entries(kernel.bindings).map(([name, binding]) => {
      const location = inputs[name];
      if (!location) throw new Error(`${path}: ${kernel.name} has no input ${name}`);
      return { binding, location };
    });
    bindings.push(...writtenBy(dispatch).map(({ binding, location }) => ({ binding, location })));
    return { entry, bindings };
  });
  const pipelines = layouts.map(({ entry }) => entry.pipeline);
  const counts = dispatches.flatMap(({ kernel }) => kernel.workgroups);
  const groups: (GPUBindGroup | undefined)[] = [];
  /** The dispatches that bind an external, by its name. */
  const readers = new Map<string, number[]>();
  for (const [i, { bindings }] of layouts.entries()) {
    for (const { location } of bindings) {
      if (location.kind !== 'external') continue;
      readers.set(location.name, [...(readers.get(location.name) ?? []), i]);
    }
  }
  let bound: Externals = {};
  let releases = context.weights.releases;

  function groupOf(i: number): GPUBindGroup {
    const dispatch = dispatches[i];
    const layout = layouts[i];
    if (!dispatch || !layout) throw new Error(`no dispatch ${i}`);
    const { path, kernel } = dispatch;
    return context.device.createBindGroup({
      label: `invsr/${path}/${kernel.name} ${kernel.variant}`,
      layout: layout.entry.layout,
      entries: [
        { binding: 0, resource: { buffer: params, ...ranges[first + i] } },
        ...layout.bindings.map(({ binding, location }) => ({
          binding,
          resource: resourceOf(context, sources, location, path, bound),
        })),
      ],
    });
  }

  return {
    dispatches,
    work: dispatches.map(({ kernel }) => workOf(kernel.cost)),
    use(externals) {
      if (releases !== context.weights.releases) groups.length = 0;
      releases = context.weights.releases;
      for (const [name, indices] of readers) {
        if (externals[name] === bound[name]) continue;
        for (const i of indices) groups[i] = undefined;
      }
      bound = { ...externals }; // whoever changes theirs would pass for the same
    },
    encode(pass, start, end) {
      let current: GPUComputePipeline | undefined;
      for (let i = start; i < end; i++) {
        const pipeline = pipelines[i];
        if (pipeline && pipeline !== current) pass.setPipeline(pipeline);
        current = pipeline;
        pass.setBindGroup(0, (groups[i] ??= groupOf(i)));
        pass.dispatchWorkgroups(counts[3 * i] ?? 0, counts[3 * i + 1], counts[3 * i + 2]);
      }
    },
  };
}

/** What a location is bound to; `path` tells in errors whose it is. */
export function resourceOf(
  context: EngineContext,
  { plan, slots }: Pick<BindSources, 'plan' | 'slots'>,
  location: Location,
  path: string,
  externals: Externals = {},
): GPUBufferBinding {
  switch (location.kind) {
    case 'slot': {
      const buffer = slots.buffers[location.index];
      if (!buffer) throw new Error(`${path}: the plan has no slot ${location.index}`);
      const { offset = 0, bytes = plan.slots[location.index]?.bytes ?? 0 } = location;
      return { buffer, offset, size: bufferSize(bytes) };
    }
    case 'weight': {
      const weight = plan.weights[location.index];
      if (!weight) throw new Error(`${path}: the plan has no weight ${location.index}`);
      return { buffer: context.weights.at(weight) };
    }
    case 'external':
      return externalOf(plan, location, externals);
  }
}

function externalOf(
  plan: Plan,
  { name, offset = 0, bytes }: Location & { readonly kind: 'external' },
  externals: Externals,
): GPUBufferBinding {
  const type = plan.externals[name];
  const buffer = externals[name];
  if (!type) throw new Error(`the plan has no external ${name}`);
  const size = bufferSize(byteLength(type));
  if (!buffer || buffer.size < size || (buffer.usage & GPUBufferUsage.STORAGE) === 0) {
    const got = buffer ? `${buffer.size} bytes with usage 0x${buffer.usage.toString(16)}` : 'none';
    throw new Error(
      `external ${name} is ${format(type)}: expected a buffer of ${size} bytes with usage STORAGE, got ${got}`,
    );
  }
  return { buffer, offset, size: bytes === undefined ? size : bufferSize(bytes) };
}
