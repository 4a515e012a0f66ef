/**
 * The weights in what was given to torch.save: a state_dict by itself, or inside a training
 * checkpoint as `state_dict` or `params_ema` (EMA weights of BasicSR), beside iteration counts and
 * such. Names lose the prefixes that PyTorch's wrappers put before them.
 */
import { grouped } from './error.ts';
import { printable } from './printable.ts';
import { isTensor, type PickleValue, type TorchTensor } from './pickle-values.ts';
import { DTYPE_BITS, type Fail } from './safetensors-header.ts';
import { spanOf } from './strided.ts';

const WRAPPERS = ['state_dict', 'params_ema'] as const;
/** Of DistributedDataParallel and torch.compile; one inside the other as often as they were used. */
const PREFIXES = /^(?:module\.|_orig_mod\.)+/;
/** Broadcast views may be larger than what is stored of them, but not without bound. */
const MAX_EXPANDED_BYTES = 16 * 1024 * 1024;

export const tensorBytes = ({ shape, dtype }: TorchTensor): number =>
  shape.reduce((n, d) => n * d, DTYPE_BITS[dtype]) / 8;

/** The tensors by name, each inside its storage. What is no tensor is passed over. */
export function weightsOf(
  root: PickleValue,
  fileBytes: number,
  fail: Fail,
): ReadonlyMap<string, TorchTensor> {
  if (!(root instanceof Map)) return fail('holds no dict of tensors; save a state_dict');
  const wrapper = WRAPPERS.find((name) => root.get(name) instanceof Map);
  const inner = wrapper === undefined ? root : root.get(wrapper);
  const weights = new Map<string, TorchTensor>();
  for (const [key, value] of inner instanceof Map ? inner : root) {
    if (typeof key !== 'string' || !isTensor(value)) continue;
    const name = key.replace(PREFIXES, '');
    if (weights.has(name)) fail(`has ${printable(name)} twice, with different prefixes`);
    expectInside(printable(name), value, fileBytes, fail);
    weights.set(name, value);
  }
  if (weights.size === 0) {
    const keys = [...root.keys()]
      .filter((key) => typeof key === 'string')
      .map(printable)
      .slice(0, 5);
    fail(
      `holds no tensors in itself, ${WRAPPERS.join(' or ')}; ${keys.length > 0 ? `it has ${keys.join(', ')}` : 'it is empty'}; save the state_dict alone`,
    );
  }
  return weights;
}

function expectInside(name: string, tensor: TorchTensor, fileBytes: number, fail: Fail): void {
  const { storage, dtype, offset, shape, stride } = tensor;
  const bytes = tensorBytes(tensor);
  const span = spanOf(shape, stride);
  const stored = (storage.count * DTYPE_BITS[storage.dtype]) / DTYPE_BITS[dtype];
  if (!Number.isSafeInteger(bytes) || !Number.isSafeInteger(offset + span)) {
    fail(`${name} has the shape [${shape.join(',')}], which is too large`);
  }
  if (offset + span > stored && span > 0) {
    fail(
      `${name} ends at element ${grouped(offset + span)} of storage ${printable(storage.key)}, which has ${grouped(stored)}`,
    );
  }
  if (bytes > Math.max(fileBytes, MAX_EXPANDED_BYTES)) {
    fail(
      `${name} [${shape.join(',')}] takes ${grouped(bytes)} bytes, the whole file has ${grouped(fileBytes)}; save a contiguous tensor`,
    );
  }
}
