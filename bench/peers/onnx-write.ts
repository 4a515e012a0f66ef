/**
 * ONNX models written field by field: what the graphs of op-graphs.ts need of the protobuf schema
 * (onnx.proto of ONNX 1.16; numbers below are its field numbers).
 *
 *   writeModel({ nodes, inputs, outputs, initializers })  → bytes of a ModelProto
 */

export type OnnxType = 'f32' | 'f16' | 'i64';

/** TensorProto.DataType. */
export const ELEMENT = { f32: 1, i64: 7, f16: 10 } as const satisfies Record<OnnxType, number>;

export interface OnnxValue {
  readonly name: string;
  readonly dtype: OnnxType;
  readonly shape: readonly number[];
}

export interface OnnxInitializer extends OnnxValue {
  /** Little-endian values, as TensorProto.raw_data holds them. */
  readonly bytes: Uint8Array;
}

export type OnnxAttribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly ints: readonly number[] }
  | { readonly text: string };

export interface OnnxNode {
  readonly op: string;
  /** @default '', ONNX's own */
  readonly domain?: string;
  /** '' for an optional input that is not given. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
}

export interface OnnxModel {
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly initializers: readonly OnnxInitializer[];
}

/** The newest set of operators that GroupNormalization with a scale per channel needs. */
const OPSET = 21;
const IR_VERSION = 10;
/** Where onnxruntime keeps its own operators. */
export const MICROSOFT = 'com.microsoft';

export function writeModel({ nodes, inputs, outputs, initializers }: OnnxModel): Uint8Array {
  const graph = Buffer.concat([
    ...nodes.map((node, i) => message(1, nodeBytes(node, i))),
    text(2, 'op'),
    ...initializers.map((tensor) => message(5, initializerBytes(tensor))),
    ...inputs.map((value) => message(11, valueBytes(value))),
    ...outputs.map((value) => message(12, valueBytes(value))),
  ]);
  return Buffer.concat([
    int(1, IR_VERSION),
    text(2, 'invsr bench'),
    message(7, graph),
    message(8, Buffer.concat([text(1, ''), int(2, OPSET)])),
    message(8, Buffer.concat([text(1, MICROSOFT), int(2, 1)])),
  ]);
}

/** f32 values as an initialiser of `dtype`. */
export function initializer(
  name: string,
  { dtype, shape }: Pick<OnnxValue, 'dtype' | 'shape'>,
  bytes: Uint8Array,
): OnnxInitializer {
  return { name, dtype, shape, bytes };
}

/** A list of dimensions, as Reshape and Resize take it. */
export const dimensions = (name: string, values: readonly number[]): OnnxInitializer => ({
  name,
  dtype: 'i64',
  shape: [values.length],
  bytes: new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
});

function nodeBytes({ op, domain, inputs, outputs, attributes = {} }: OnnxNode, i: number): Buffer {
  return Buffer.concat([
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(3, `${op}_${i}`),
    text(4, op),
    ...Object.entries(attributes).map(([name, value]) => message(5, attributeBytes(name, value))),
    ...(domain === undefined ? [] : [text(7, domain)]),
  ]);
}

/** AttributeProto.type: FLOAT 1, INT 2, STRING 3, INTS 7. */
function attributeBytes(name: string, value: OnnxAttribute): Buffer {
  const parts = [text(1, name)];
  if ('float' in value) {
    const bits = Buffer.alloc(5);
    bits[0] = 2 * 8 + 5;
    bits.writeFloatLE(value.float, 1);
    parts.push(bits, int(20, 1));
  } else if ('int' in value) {
    parts.push(int(3, value.int), int(20, 2));
  } else if ('text' in value) {
    parts.push(text(4, value.text), int(20, 3));
  } else {
    parts.push(...value.ints.map((n) => int(8, n)), int(20, 7));
  }
  return Buffer.concat(parts);
}

const initializerBytes = ({ name, dtype, shape, bytes }: OnnxInitializer): Buffer =>
  Buffer.concat([
    ...shape.map((n) => int(1, n)),
    int(2, ELEMENT[dtype]),
    text(8, name),
    message(9, bytes),
  ]);

/** ValueInfoProto → TypeProto.tensor_type → TensorShapeProto.dim → dim_value. */
function valueBytes({ name, dtype, shape }: OnnxValue): Buffer {
  const dims = Buffer.concat(shape.map((n) => message(1, int(1, n))));
  const tensor = Buffer.concat([int(1, ELEMENT[dtype]), message(2, dims)]);
  return Buffer.concat([text(1, name), message(2, message(1, tensor))]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let n = BigInt.asUintN(64, BigInt(value)); // negative numbers take ten bytes
  for (; n >= 128n; n >>= 7n) bytes.push(Number(n & 127n) + 128);
  bytes.push(Number(n));
  return bytes;
}

const int = (field: number, value: number): Buffer =>
  Buffer.from([...varint(field * 8), ...varint(value)]);

const message = (field: number, body: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([...varint(field * 8 + 2), ...varint(body.length)]), body]);

const text = (field: number, value: string): Buffer => message(field, Buffer.from(value));
