/**
 * Writes what `torch.save(state_dict)` writes: f32 tensors by name in a zip of stored entries.
 *
 *   archive/data.pkl   pickle, protocol 2: OrderedDict of name → _rebuild_tensor_v2(storage, 0, shape, strides)
 *   archive/data/<i>   the tensors' bytes, each at a multiple of 64 bytes
 *   archive/version    3
 *
 * For `invsr weights synth --pth`: the noise predictor is published in this form. Files below 4 GiB.
 */
export interface TensorToSave {
  readonly shape: readonly number[];
  /** Row-major f32, when its turn comes: a file of any size needs memory for one tensor. */
  readonly read: () => Float32Array<ArrayBuffer>;
}

interface Entry {
  readonly name: string;
  readonly bytes: number;
  readonly content: () => Uint8Array<ArrayBuffer>;
}

const ALIGNMENT = 64;
const LOCAL_HEADER = 30;
const CENTRAL_HEADER = 46;
const END = 22;

const elementsOf = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** The file's size, and its content in pieces. */
export function torchFile(tensors: ReadonlyMap<string, TensorToSave>): {
  readonly bytes: number;
  readonly content: () => Generator<Uint8Array<ArrayBuffer>>;
} {
  const inMemory = (name: string, data: Uint8Array<ArrayBuffer>): Entry => ({
    name,
    bytes: data.length,
    content: () => data,
  });
  const entries = [
    inMemory('archive/data.pkl', stateDict(tensors)),
    ...[...tensors.values()].map(({ shape, read }, i): Entry => ({
      name: `archive/data/${i}`,
      bytes: 4 * elementsOf(shape),
      content: () => new Uint8Array(read().buffer),
    })),
    inMemory('archive/version', new TextEncoder().encode('3\n')),
  ];
  let at = 0;
  const placed = entries.map((entry) => {
    const start = at;
    const unpadded = start + LOCAL_HEADER + entry.name.length + 4; // 4: head of the extra field
    const padding = (ALIGNMENT - (unpadded % ALIGNMENT)) % ALIGNMENT;
    at = unpadded + padding + entry.bytes;
    return { ...entry, start, padding };
  });
  const centralBytes = entries.reduce((sum, { name }) => sum + CENTRAL_HEADER + name.length, 0);
  const directory = at;
  return {
    bytes: directory + centralBytes + END,
    content: function* () {
      const central: Uint8Array<ArrayBuffer>[] = [];
      for (const { name, bytes, start, padding, content } of placed) {
        const data = content();
        const facts = { name, bytes, crc: crc32(data) };
        yield localHeader(facts, padding);
        yield data;
        central.push(centralHeader(facts, start));
      }
      yield* central;
      yield endOfDirectory({ count: placed.length, at: directory, bytes: centralBytes });
    },
  };
}

// --- zip ------------------------------------------------------------------------------------------

interface Facts {
  readonly name: string;
  readonly bytes: number;
  readonly crc: number;
}

/** Little-endian fields of 16 (`[value]`) and 32 bits, then `tail`. */
function fields(
  values: readonly (number | readonly [number])[],
  ...tail: readonly Uint8Array[]
): Uint8Array<ArrayBuffer> {
  const bytes = values.flatMap((value) => {
    const isShort = typeof value !== 'number';
    const v = isShort ? value[0] : value;
    return Array.from({ length: isShort ? 2 : 4 }, (_, i) => (v >>> (8 * i)) & 0xff);
  });
  return Uint8Array.from([...bytes, ...tail.flatMap((part) => [...part])]);
}

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
/** Version, flags, method "stored", time, date. */
const STORED = [[0], [0], [0], [0], [0x21]] as const;

function localHeader({ name, bytes, crc }: Facts, padding: number): Uint8Array<ArrayBuffer> {
  const sizes = [crc, bytes, bytes, [name.length], [4 + padding]] as const;
  // torch.save pads in an extra field of its own, "FB".
  const extra = fields([[0x4246], [padding]], new Uint8Array(padding).fill(0x5a));
  return fields([0x04034b50, ...STORED, ...sizes], ascii(name), extra);
}

function centralHeader({ name, bytes, crc }: Facts, start: number): Uint8Array<ArrayBuffer> {
  const sizes = [crc, bytes, bytes, [name.length], [0], [0], [0], [0], 0, start] as const;
  return fields([0x02014b50, [0], ...STORED, ...sizes], ascii(name));
}

const endOfDirectory = (d: { count: number; at: number; bytes: number }): Uint8Array<ArrayBuffer> =>
  fields([0x06054b50, [0], [0], [d.count], [d.count], d.bytes, d.at, [0]]);

const CRC_TABLE = Int32Array.from({ length: 256 }, (_, i) => {
  let c = i;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

function crc32(data: Uint8Array): number {
  let crc = -1;
  for (const byte of data) crc = (CRC_TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return ~crc >>> 0;
}

// --- pickle ---------------------------------------------------------------------------------------

const globalOf = (module: string, name: string): Uint8Array => ascii(`c${module}\n${name}\n`);
const string = (text: string): Uint8Array => {
  const bytes = ascii(text);
  return fields([], ascii('X'), fields([bytes.length]), bytes);
};
const integer = (value: number): Uint8Array => fields([], ascii('J'), fields([value]));
const tuple = (...parts: readonly Uint8Array[]): Uint8Array =>
  fields([], ascii('('), ...parts, ascii('t'));

/** An empty OrderedDict. */
const dict = (): Uint8Array => fields([], globalOf('collections', 'OrderedDict'), ascii(')R'));

function stateDict(tensors: ReadonlyMap<string, TensorToSave>): Uint8Array<ArrayBuffer> {
  const items = [...tensors].map(([name, { shape }], i) =>
    fields([], string(name), tensor(shape, i)),
  );
  return fields([], Uint8Array.of(0x80, 2), dict(), ascii('('), ...items, ascii('u.'));
}

function tensor(shape: readonly number[], index: number): Uint8Array {
  const stride = shape.map((_, axis) => elementsOf(shape.slice(axis + 1)));
  const storage = tuple(
    string('storage'),
    globalOf('torch', 'FloatStorage'),
    string(String(index)),
    string('cpu'),
    integer(elementsOf(shape)),
  );
  const sizes = (values: readonly number[]): Uint8Array => tuple(...values.map(integer));
  const requiresGrad = Uint8Array.of(0x89); // False
  // Q: the storage, by the identity that the tuple gives
  const args = [fields([], storage, ascii('Q')), integer(0), sizes(shape), sizes(stride)];
  const call = tuple(...args, requiresGrad, dict());
  return fields([], globalOf('torch._utils', '_rebuild_tensor_v2'), call, ascii('R'));
}
