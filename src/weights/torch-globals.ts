/**
 * The whitelist of names in a checkpoint's pickle, and what they make: views of storages.
 *
 * Names are compared with this list and looked up nowhere else. Any other name ends the reading with
 * that name in the message.
 */
import { printable } from './printable.ts';
import type { PickleHost } from './pickle.ts';
import {
  isPickleObject,
  isTensor,
  type PickleValue,
  type TorchStorage,
  type TorchTensor,
} from './pickle-values.ts';
import type { Fail, FileDType } from './safetensors-header.ts';

/** Storages by the type of their elements; an untyped one counts bytes. */
const STORAGES: Readonly<Record<string, FileDType>> = {
  'torch.FloatStorage': 'F32',
  'torch.HalfStorage': 'F16',
  'torch.BFloat16Storage': 'BF16',
  'torch.DoubleStorage': 'F64',
  'torch.LongStorage': 'I64',
  'torch.IntStorage': 'I32',
  'torch.ShortStorage': 'I16',
  'torch.CharStorage': 'I8',
  'torch.ByteStorage': 'U8',
  'torch.BoolStorage': 'BOOL',
  'torch.UntypedStorage': 'U8',
  'torch.storage.UntypedStorage': 'U8',
  'torch.serialization.UntypedStorage': 'U8',
};

/** Types that `_rebuild_tensor_v3` gives to an untyped storage, or that lie beside the weights. */
const DTYPES: Readonly<Record<string, FileDType>> = {
  'torch.float32': 'F32',
  'torch.float16': 'F16',
  'torch.bfloat16': 'BF16',
  'torch.float64': 'F64',
  'torch.int64': 'I64',
  'torch.int32': 'I32',
  'torch.int16': 'I16',
  'torch.int8': 'I8',
  'torch.uint8': 'U8',
  'torch.uint16': 'U16',
  'torch.uint32': 'U32',
  'torch.uint64': 'U64',
  'torch.bool': 'BOOL',
};

/** PyTorch's own limit. */
const MAX_AXES = 64;

type Call = (args: readonly PickleValue[], fail: Fail) => PickleValue;

const CALLS: Readonly<Record<string, Call>> = {
  // Its items follow. (Python 2 handed them over: files older than any of these models.)
  'collections.OrderedDict': (args, fail) =>
    args.length === 0 ? new Map() : fail('it makes an OrderedDict in an unknown way'),
  // (storage, offset, size, stride[, requires_grad, hooks[, metadata]])
  'torch._utils._rebuild_tensor': rebuildTensor,
  'torch._utils._rebuild_tensor_v2': rebuildTensor,
  // (storage, offset, size, stride, requires_grad, hooks, dtype[, metadata])
  'torch._utils._rebuild_tensor_v3': (args, fail) =>
    rebuildTensor(args, fail, dtypeNamed(args[6]) ?? fail('one of its tensors has no known dtype')),
  // (tensor, requires_grad, hooks)
  'torch._utils._rebuild_parameter': ([tensor], fail) =>
    isTensor(tensor) ? tensor : fail('one of its parameters is no tensor'),
  'torch.Size': ([sizes], fail) =>
    Array.isArray(sizes) ? sizes : fail('one of its sizes is no tuple'),
  'torch.device': () => ({ kind: 'opaque' }),
};

const has = <T>(table: Readonly<Record<string, T>>, name: string): boolean =>
  Object.hasOwn(table, name);

/** The host of a checkpoint's pickles; `storages` collects what they refer to, by key. */
export function torchHost(fail: Fail, storages: Map<string, TorchStorage>): PickleHost {
  return {
    fail,
    global: (name) => {
      if (has(CALLS, name) || has(STORAGES, name) || has(DTYPES, name)) {
        return { kind: 'global', name };
      }
      return fail(
        `its pickle asks for ${printable(name)}, which no weights need and is not run here; save the state_dict alone with torch.save`,
      );
    },
    call: (callable, args) => {
      const name = nameOf(callable);
      const call = name !== undefined && has(CALLS, name) ? CALLS[name] : undefined;
      if (!call) return fail('its pickle calls something that is no function');
      return call(
        Array.isArray(args) ? args : fail(`its pickle calls ${name} without a tuple`),
        fail,
      );
    },
    persistent: (id) => {
      const storage = storageOf(id, fail);
      const known = storages.get(storage.key);
      if (known && (known.dtype !== storage.dtype || known.count !== storage.count)) {
        fail(`storage ${printable(storage.key)} is described in two ways`);
      }
      storages.set(storage.key, known ?? storage);
      return known ?? storage;
    },
  };
}

function rebuildTensor(args: readonly PickleValue[], fail: Fail, dtype?: FileDType): TorchTensor {
  const [storage, offset, shape, stride] = args;
  if (storage === undefined || storage === null || !isStorage(storage)) {
    return fail('one of its tensors has no storage');
  }
  if (!isSize(offset) || !isSizes(shape) || !isSizes(stride)) {
    return fail(
      `a tensor in storage ${printable(storage.key)} has an offset, shape or stride that is no list of at most ${MAX_AXES} non-negative integers`,
    );
  }
  if (shape.length !== stride.length) {
    return fail(
      `a tensor in storage ${printable(storage.key)} has ${shape.length} sizes and ${stride.length} strides`,
    );
  }
  // Copies: the lists could still grow.
  const view = { offset, shape: [...shape], stride: [...stride] };
  return { kind: 'tensor', storage, dtype: dtype ?? storage.dtype, ...view };
}

/** ('storage', type, key, location, element count[, view of another storage]). */
function storageOf(id: PickleValue, fail: Fail): TorchStorage {
  const [tag, type, key, , count, view] = Array.isArray(id) ? id : [];
  const dtype = STORAGES[nameOf(type) ?? ''];
  if (tag !== 'storage' || typeof key !== 'string' || !isSize(count) || dtype === undefined) {
    return fail('its pickle refers to data in a way that torch.save does not');
  }
  if (view !== undefined && view !== null) {
    fail(`storage ${printable(key)} is a part of another one; save it with PyTorch 1.6 or newer`);
  }
  return { kind: 'storage', key, dtype, count };
}

const nameOf = (value: PickleValue | undefined): string | undefined =>
  value !== undefined && isPickleObject(value) && value.kind === 'global' ? value.name : undefined;
const dtypeNamed = (value: PickleValue | undefined): FileDType | undefined =>
  DTYPES[nameOf(value) ?? ''];
const isStorage = (value: PickleValue): value is TorchStorage =>
  isPickleObject(value) && value.kind === 'storage';
const isSize = (value: PickleValue | undefined): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
const isSizes = (value: PickleValue | undefined): value is number[] =>
  Array.isArray(value) && value.length <= MAX_AXES && value.every(isSize);
