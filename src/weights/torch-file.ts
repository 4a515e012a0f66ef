/**
 * The two containers of torch.save: a pickle that refers to storages, and the storages' bytes.
 *
 *   zip (PyTorch 1.6 and later)   NAME/data.pkl, NAME/data/KEY, NAME/byteorder: entries, not packed
 *   legacy                        pickles: magic, 1001, { little_endian, … }, the object, [KEY, …];
 *                                 then for each KEY its element count (i64) and its bytes
 *
 * Opening reads the pickle and where the storages lie; not one byte of a weight.
 * Source: torch/serialization.py of PyTorch 2.5, `_save` and `_legacy_save`.
 */
import { CheckpointError, grouped } from './error.ts';
import { printable } from './printable.ts';
import { unpickle } from './pickle.ts';
import type { PickleValue, TorchStorage } from './pickle-values.ts';
import { DTYPE_BITS, type Fail } from './safetensors-header.ts';
import { mistakenFor } from './safetensors.ts';
import { type ByteSource, cutShort } from './source.ts';
import { torchHost } from './torch-globals.ts';
import { readZip } from './zip.ts';

export interface TorchFile {
  /** What was given to torch.save. */
  readonly root: PickleValue;
  /** Refuses a storage whose bytes are not all in the file. */
  expect(storage: TorchStorage): void;
  /** Where its bytes begin in the file. */
  locate(storage: TorchStorage, signal?: AbortSignal): Promise<number>;
}

export const storageBytes = ({ dtype, count }: TorchStorage): number =>
  (count * DTYPE_BITS[dtype]) / 8;

/** The tiny noise predictor's pickle takes 178 bytes a tensor; a full-size UNet has 686. */
const MAX_PICKLE_BYTES = 16 * 1024 * 1024;
const LEGACY_MAGIC = 0x1950a86a20f9469cfc6cn;
const LEGACY_PROTOCOL = 1001;
/** PROTO 2, LONG1 of 10 bytes: the magic number. */
const LEGACY_START = [0x80, 0x02, 0x8a, 0x0a];

export async function openTorchFile(source: ByteSource, signal?: AbortSignal): Promise<TorchFile> {
  const fail: Fail = (what) => {
    throw new CheckpointError(`${source.name}: ${what}`);
  };
  const start = await source.read(0, Math.min(64, await source.size()), signal);
  if (start[0] === 0x50 && start[1] === 0x4b) return openArchive(source, fail, signal);
  if (LEGACY_START.every((byte, i) => start[i] === byte)) return openLegacy(source, fail, signal);
  return fail(
    `is no PyTorch checkpoint: ${mistakenFor(start) ?? 'it is neither a zip archive nor a pickle of torch.save'}`,
  );
}

async function openArchive(
  source: ByteSource,
  fail: Fail,
  signal: AbortSignal | undefined,
): Promise<TorchFile> {
  const zip = await readZip(source, signal);
  const pickles = [...zip.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  const [pickle] = pickles;
  if (pickle === undefined || pickles.length > 1) {
    return fail('is a zip archive but no PyTorch checkpoint: it needs one data.pkl in one folder');
  }
  const folder = pickle.slice(0, -'data.pkl'.length);
  if (zip.has(`${folder}constants.pkl`)) {
    fail('is a TorchScript program, not weights; save the state_dict with torch.save');
  }
  const contents = async (name: string): Promise<Uint8Array | undefined> => {
    const entry = zip.get(name);
    if (entry && entry.bytes > MAX_PICKLE_BYTES) {
      fail(
        `${printable(name)} has ${grouped(entry.bytes)} bytes, the limit is ${grouped(MAX_PICKLE_BYTES)}`,
      );
    }
    return entry && source.read(await entry.locate(signal), entry.bytes, signal);
  };
  const order = await contents(`${folder}byteorder`);
  if (order && new TextDecoder().decode(order) !== 'little') {
    fail('was written on a big-endian machine; save it on a little-endian one');
  }

  const bytes = (await contents(pickle)) ?? fail('has no data.pkl');
  const unpickled = unpickle(bytes, torchHost(fail, new Map()));
  if (!unpickled) return fail('its pickle has no end: cut short; download it again');

  const entryOf = (storage: TorchStorage) => {
    const entry = zip.get(`${folder}data/${storage.key}`);
    if (!entry) return fail(`has no storage ${printable(storage.key)}, which its pickle refers to`);
    if (entry.bytes !== storageBytes(storage)) {
      return fail(
        `storage ${printable(storage.key)} has ${grouped(entry.bytes)} bytes, its pickle says ${grouped(storageBytes(storage))}`,
      );
    }
    return entry;
  };
  return {
    root: unpickled.value,
    expect: (storage) => void entryOf(storage),
    locate: (storage, asked) => entryOf(storage).locate(asked),
  };
}

async function openLegacy(
  source: ByteSource,
  fail: Fail,
  signal: AbortSignal | undefined,
): Promise<TorchFile> {
  const size = await source.size();
  const storages = new Map<string, TorchStorage>();
  // Where the pickles end is only known once they are run: on a longer start where it was too short.
  const limit = Math.min(size, MAX_PICKLE_BYTES);
  let pickles: { readonly values: readonly PickleValue[]; readonly end: number } | undefined;
  for (let window = Math.min(limit, 256 * 1024); ; window = Math.min(limit, 8 * window)) {
    const bytes = await source.read(0, window, signal);
    storages.clear();
    pickles = unpickleAll(bytes, 5, fail, storages);
    if (pickles || window === limit) break;
  }
  if (!pickles) {
    return fail(
      size > MAX_PICKLE_BYTES
        ? `its pickles take more than ${grouped(MAX_PICKLE_BYTES)} bytes`
        : 'its pickles have no end: cut short; download it again',
    );
  }
  const [magic, protocol, system, root = null, keys] = pickles.values;
  if (magic !== LEGACY_MAGIC || protocol !== LEGACY_PROTOCOL || !(system instanceof Map)) {
    return fail('is a pickle, but not one that torch.save wrote');
  }
  if (system.get('little_endian') !== true) {
    fail('was written on a big-endian machine; save it on a little-endian one');
  }
  if (!Array.isArray(keys)) return fail('its list of storages is missing');

  const places = new Map<string, number>();
  let at = pickles.end;
  for (const key of keys) {
    const storage = typeof key === 'string' ? storages.get(key) : undefined;
    if (!storage || places.has(storage.key)) {
      return fail('its list of storages does not fit its pickle');
    }
    places.set(storage.key, at);
    at += 8 + storageBytes(storage);
  }
  if (at > size) throw cutShort(source.name, at, size);

  const placeOf = (storage: TorchStorage): number =>
    places.get(storage.key) ??
    fail(`has no storage ${printable(storage.key)}, which its pickle refers to`);
  return {
    root,
    expect: (storage) => void placeOf(storage),
    locate: async (storage, asked) => {
      const place = placeOf(storage);
      const count = await source.read(place, 8, asked);
      const stored = new DataView(count.buffer, count.byteOffset).getBigInt64(0, true);
      if (stored !== BigInt(storage.count)) {
        fail(
          `storage ${printable(storage.key)} has ${stored} elements, its pickle says ${storage.count}`,
        );
      }
      return place + 8;
    },
  };
}

/** `count` pickles one after another; undefined where the bytes end before. */
function unpickleAll(
  bytes: Uint8Array,
  count: number,
  fail: Fail,
  storages: Map<string, TorchStorage>,
): { readonly values: readonly PickleValue[]; readonly end: number } | undefined {
  const host = torchHost(fail, storages);
  const values: PickleValue[] = [];
  let end = 0;
  for (let i = 0; i < count; i++) {
    const unpickled = unpickle(bytes, host, end);
    if (!unpickled) return undefined;
    values.push(unpickled.value);
    end = unpickled.end;
  }
  return { values, end };
}
