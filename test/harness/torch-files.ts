/**
 * PyTorch checkpoints for tests: genuine ones, and any other from a small assembler.
 *
 *   torchZip({ 'data.pkl': pickle(dict({ a: tensor('0', [2]) })), 'data/0': new Uint8Array(8) })
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { toSingle } from '../../src/weights/half.ts';
import { readTorch } from '../../src/weights/pth.ts';
import { concatBytes } from '../../src/weights/safetensors-write.ts';
import { bytesSource } from '../../src/weights/source.ts';
import { goldenPath } from './goldens.ts';
import { syntheticWeight } from '../../src/weights/synthetic.ts';
import { chunksOf } from '../../src/weights/tensor-reads.ts';

export const EDGE_VIEWS = ['edge_views.pth', 'edge_views_legacy.pth'] as const;

export const torchGolden = (name: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(goldenPath(`torch/${name}`)));

/** SHA-256 of the files that PyTorch wrote; stored are these without the bytes of the weights. */
const GENUINE = {
  /** A bare state_dict in F32. */
  noise_predictor: '122a5a57ff323baa07c93a3ac72cc7c5dd0149167f33c0f269db965487428fb4',
  /** `{ state_dict: … }` in F16, saved from a CUDA device. */
  noise_predictor_wrapped_fp16_cuda:
    'd882a77df1567941334654ac2d1601303157e75f3768c9ba04dea6c12f862cbf',
} as const;

export type GenuineFile = keyof typeof GENUINE;
export const GENUINE_FILES = Object.keys(GENUINE) as GenuineFile[];

/**
 * The tiny noise predictor as PyTorch saved it. Our own reader says where the weights belong, which
 * is no argument in a circle: the hash of the result is that of the genuine file.
 */
export async function genuineNoisePredictor(name: GenuineFile): Promise<Uint8Array<ArrayBuffer>> {
  const file = new Uint8Array(gunzipSync(readFileSync(goldenPath(`torch/${name}.hollow.pth.gz`))));
  for (const [key, tensor] of await readTorch(bytesSource(name, file))) {
    const half = syntheticWeight('noise_predictor', key, tensor.shape);
    const filled = tensor.dtype === 'F16' ? half : toSingle(half);
    let at = 0;
    // Chunks of a source in memory are views of it.
    for await (const chunk of chunksOf(tensor)) {
      chunk.set(new Uint8Array(filled.buffer, at, chunk.length));
      at += chunk.length;
    }
  }
  const hash = createHash('sha256').update(file).digest('hex');
  if (hash !== GENUINE[name]) throw new Error(`${name} is not as PyTorch wrote it: ${hash}`);
  return file;
}

// --- pickles -------------------------------------------------------------------------------------

type Bytes = Uint8Array<ArrayBuffer>;

/** Opcodes as numbers, operands as text or as bytes. */
export const bytes = (...parts: readonly (number | string | Uint8Array)[]): Bytes =>
  concatBytes(
    parts.map((part) =>
      typeof part === 'number'
        ? new Uint8Array([part])
        : typeof part === 'string'
          ? new TextEncoder().encode(part)
          : part,
    ),
  );
const little = (value: number | bigint, size: number): Bytes => {
  const buffer = new Uint8Array(8);
  new DataView(buffer.buffer).setBigUint64(0, BigInt.asUintN(64, BigInt(value)), true);
  return buffer.slice(0, size);
};

export type Node = Bytes;
export const none = bytes('N');
export const text = (value: string): Node => {
  const utf8 = new TextEncoder().encode(value);
  return bytes('X', little(utf8.length, 4), utf8);
};
/** LONG1 of 8 bytes, which holds any of them. */
export const int = (value: number | bigint): Node => bytes(0x8a, 8, little(value, 8));
export const tuple = (...items: readonly Node[]): Node => bytes('(', ...items, 't');
export const ints = (values: readonly (number | bigint)[]): Node => tuple(...values.map(int));
export const global = (module: string, name: string): Node => bytes('c', `${module}\n${name}\n`);
export const reduce = (callable: Node, ...args: readonly Node[]): Node =>
  bytes(callable, tuple(...args), 'R');
export const dict = (items: Readonly<Record<string, Node>>): Node =>
  bytes('}(', ...Object.entries(items).flatMap(([key, value]) => [text(key), value]), 'u');
/** A whole pickle of protocol 2. */
export const pickle = (value: Node): Bytes => bytes(0x80, 2, value, '.');

export interface TensorOptions {
  readonly type?: string;
  /** Elements of the storage. @default as many as the shape has */
  readonly count?: number | bigint;
  readonly offset?: number | bigint;
  readonly stride?: readonly (number | bigint)[];
}

export const storage = (key: string, count: number | bigint, type = 'FloatStorage'): Node =>
  bytes(tuple(text('storage'), global('torch', type), text(key), text('cpu'), int(count)), 'Q');

const product = (sizes: readonly (number | bigint)[]): bigint =>
  sizes.reduce<bigint>((n, d) => n * BigInt(d), 1n);

export const tensor = (
  key: string,
  shape: readonly (number | bigint)[],
  { type, count = product(shape), offset = 0, stride }: TensorOptions = {},
): Node =>
  reduce(
    global('torch._utils', '_rebuild_tensor_v2'),
    storage(key, count, type),
    int(offset),
    ints(shape),
    ints(stride ?? shape.map((_, axis) => product(shape.slice(axis + 1)))),
    bytes(0x89),
    reduce(global('collections', 'OrderedDict')),
  );

// --- zip -----------------------------------------------------------------------------------------

export interface ZipTweaks {
  readonly method?: number;
  readonly flags?: number;
  /** As the directory has it; the local header and the data stay where they are. */
  readonly offset?: number;
  readonly size?: number;
}

export interface ZipOptions {
  /** By entry. */
  readonly tweaks?: Readonly<Record<string, ZipTweaks>>;
  readonly comment?: string;
  /** Numbers of 64 bits, as in files over 4 GiB. */
  readonly zip64?: boolean;
}

/** A stored zip file; CRCs are zero. */
export function zip(
  entries: readonly (readonly [name: string, data: Uint8Array])[],
  { tweaks = {}, comment = '', zip64 = false }: ZipOptions = {},
): Bytes {
  const body: Bytes[] = [];
  const directory: Bytes[] = [];
  let at = 0;
  for (const [name, data] of entries) {
    const { method = 0, flags = 0, offset = at, size = data.length } = tweaks[name] ?? {};
    const shared = [little(flags, 2), little(method, 2), new Uint8Array(8)];
    const path = new TextEncoder().encode(name);
    const lengths = bytes(little(path.length, 2), little(zip64 ? 28 : 0, 2));
    const extra = zip64
      ? bytes(1, 0, 24, 0, little(size, 8), little(size, 8), little(offset, 8))
      : new Uint8Array(0);
    const sizes = zip64 ? new Uint8Array(8).fill(255) : bytes(little(size, 4), little(size, 4));
    const local = bytes('PK\u0003\u0004', 45, 0, ...shared, sizes, lengths, path, extra, data);
    body.push(local);
    directory.push(
      bytes(
        'PK\u0001\u0002',
        45,
        0,
        45,
        0,
        ...shared,
        sizes,
        lengths,
        new Uint8Array(10),
        zip64 ? new Uint8Array(4).fill(255) : little(offset, 4),
        path,
        extra,
      ),
    );
    at += local.length;
  }
  const length = directory.reduce((sum, row) => sum + row.length, 0);
  const numbers = (width: number) => [
    little(entries.length, width),
    little(entries.length, width),
    little(length, Math.max(4, width)),
    little(at, Math.max(4, width)),
  ];
  const end64 = zip64
    ? [
        bytes('PK\u0006\u0006', little(44, 8), 45, 0, 45, 0, new Uint8Array(8), ...numbers(8)),
        bytes('PK\u0006\u0007', new Uint8Array(4), little(at + length, 8), 1, 0, 0, 0),
      ]
    : [];
  const end = bytes(
    'PK\u0005\u0006',
    new Uint8Array(4),
    ...(zip64 ? [new Uint8Array(12).fill(255)] : numbers(2)),
    little(comment.length, 2),
    comment,
  );
  return concatBytes([...body, ...directory, ...end64, end]);
}

/** As torch.save names its entries. */
export const torchZip = (
  entries: Readonly<Record<string, Uint8Array>>,
  options?: ZipOptions,
): Bytes =>
  zip(
    Object.entries(entries).map(([name, data]) => [`archive/${name}`, data] as const),
    options,
  );
