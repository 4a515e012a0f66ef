/**
 * A plan's dispatches bound to buffers: locations resolved, parameters packed into one uniform
 * buffer, bind groups cached.
 */
import type { EngineContext } from './context.ts';
import { byteLength, format, packParams } from './kernel.ts';
import type { Compiled } from './pipelines.ts';
import type { Dispatch, Location, Plan } from './plan.ts';
import { bufferSize, type SlotLease, type SlotRequest } from './memory.ts';
import { workOf } from './submits.ts';

export type Externals = Readonly<Record<string, GPUBuffer>>;

/** A dispatch ready to be encoded. */
export interface Bound {
  readonly dispatch: Dispatch;
  readonly pipeline: GPUComputePipeline;
  readonly work: number;
  /** Made on first use and kept; made anew when an external it reads or writes is another one, or weights were freed. */
  groupFor(externals: Externals): GPUBindGroup;
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

/** What to lease for a plan. Persistent slots must survive, so no other plan gets them. */
export function slotRequests({ slots, prepare, dispatches }: Plan): SlotRequest[] {
  const largest = new Map<number, Dispatch>();
  for (const dispatch of [...prepare, ...dispatches]) {
    const { output, kernel } = dispatch;
    if (output.kind !== 'slot') continue;
    const best = largest.get(output.index);
    if (!best || byteLength(kernel.output.type) > byteLength(best.kernel.output.type)) {
      largest.set(output.index, dispatch);
    }
  }
  return slots.map(({ bytes, persistent }, index) => {
    const dispatch = largest.get(index);
    const what = dispatch
      ? `${dispatch.path} ${format(dispatch.kernel.output.type)}`
      : `slot ${index}`;
    return { bytes, what, isExclusive: persistent };
  });
}

/** What each dispatch binds, in words. */
export function bindingsOf(plan: Plan): { readonly what: string; readonly bytes: number }[] {
  return [...plan.prepare, ...plan.dispatches].flatMap(({ path, kernel, inputs }) => {
    const { type } = kernel.output;
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
    const written = { what: `${path} ${format(type)}`, bytes: byteLength(type) };
    return [...read, written];
  });
}

export interface BindSources {
  readonly plan: Plan;
  readonly slots: SlotLease;
  readonly params: GPUBuffer;
  readonly ranges: PackedParams['ranges'];
  readonly compiled: ReadonlyMap<string, Compiled>;
}

export function bindAll(context: EngineContext, sources: BindSources): Bound[] {
  const { plan, slots, params, ranges, compiled } = sources;

  function resourceOf(path: string, location: Location, externals: Externals): GPUBufferBinding {
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

  return [...plan.prepare, ...plan.dispatches].map((dispatch, i): Bound => {
    const { path, kernel, inputs, output } = dispatch;
    const entry = compiled.get(kernel.wgsl);
    if (!entry) throw new Error(`${path}: ${kernel.name} is not compiled`);
    const bindings = Object.entries(kernel.bindings).map(([name, binding]) => {
      const location = inputs[name];
      if (!location) throw new Error(`${path}: ${kernel.name} has no input ${name}`);
      return { binding, location };
    });
    bindings.push({ binding: kernel.output.binding, location: output });
    const names = bindings.flatMap(({ location }) =>
      location.kind === 'external' ? location.name : [],
    );

    let group: GPUBindGroup | undefined;
    let bound: Externals = {};
    let releases = context.weights.releases;
    return {
      dispatch,
      pipeline: entry.pipeline,
      work: workOf(kernel.cost),
      groupFor(externals) {
        const isCurrent = releases === context.weights.releases;
        releases = context.weights.releases;
        if (group && isCurrent && names.every((name) => externals[name] === bound[name])) {
          return group;
        }
        group = context.device.createBindGroup({
          label: `invsr/${path}/${kernel.name} ${kernel.variant}`,
          layout: entry.layout,
          entries: [
            { binding: 0, resource: { buffer: params, ...ranges[i] } },
            ...bindings.map(({ binding, location }) => ({
              binding,
              resource: resourceOf(path, location, externals),
            })),
          ],
        });
        bound = Object.fromEntries(names.map((name) => [name, externals[name]])) as Externals;
        return group;
      },
    };
  });
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
