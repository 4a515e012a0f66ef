/** What a checkpoint's pickle can hold: Python's plain data, and the few objects of torch.save. */
import type { FileDType } from './safetensors-header.ts';

export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | PickleValue[]
  | PickleDict
  | PickleObject;

/** A dict or an OrderedDict. */
export type PickleDict = Map<PickleValue, PickleValue>;

export type PickleObject =
  | PickleGlobal
  | TorchStorage
  | TorchTensor
  /** Something without weights in it: a device, bytes. */
  | { readonly kind: 'opaque' };

/** A name on the whitelist of torch-globals.ts: `torch.FloatStorage`. It stands for itself. */
export interface PickleGlobal {
  readonly kind: 'global';
  readonly name: string;
}

/** A piece of memory that torch.save wrote: tensors are views of it. */
export interface TorchStorage {
  readonly kind: 'storage';
  /** Its number in the file. */
  readonly key: string;
  /** U8 where the storage has no type of its own. */
  readonly dtype: FileDType;
  /** Elements of `dtype`. */
  readonly count: number;
}

/** A view of a storage: element [i, j, …] is at `offset + i·stride[0] + j·stride[1] + …`. */
export interface TorchTensor {
  readonly kind: 'tensor';
  readonly storage: TorchStorage;
  readonly dtype: FileDType;
  /** In elements, as the strides. */
  readonly offset: number;
  readonly shape: readonly number[];
  readonly stride: readonly number[];
}

/** Neither plain data nor a list or dict. */
export const isPickleObject = (value: PickleValue): value is PickleObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Map);

export const isTensor = (value: PickleValue | undefined): value is TorchTensor =>
  value !== undefined && isPickleObject(value) && value.kind === 'tensor';
