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
    ...nodes.map((node, i) => bytesField(1, nodeBytes(node, i))),
    text(2, 'op'),
    ...initializers.map((tensor) => bytesField(5, initializerBytes(tensor))),
    ...inputs.map((value) => bytesField(11, valueBytes(value))),
    ...outputs.map((value) => bytesField(12, valueBytes(value))),
  ]);
  return Buffer.concat([
    intField(1, IR_VERSION),
    text(2, 'invsr bench'),
    bytesField(7, graph),
    bytesField(8, Buffer.concat([text(1, ''), intField(2, OPSET)])),
    bytesField(8, Buffer.concat([text(1, MICROSOFT), intField(2, 1)])),
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
    ...Object.entries(attributes).map(([name, value]) =>
      bytesField(5, attributeBytes(name, value)),
    ),
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
    parts.push(bits, intField(20, 1));
  } else if ('int' in value) {
    parts.push(intField(3, value.int), intField(20, 2));
  } else if ('text' in value) {
    parts.push(text(4, value.text), intField(20, 3));
  } else {
    parts.push(...value.ints.map((n) => intField(8, n)), intField(20, 7));
  }
  return Buffer.concat(parts);
}

const initializerBytes = ({ name, dtype, shape, bytes }: OnnxInitializer): Buffer =>
  Buffer.concat([
    ...shape.map((n) => intField(1, n)),
    intField(2, ELEMENT[dtype]),
    text(8, name),
    bytesField(9, bytes),
  ]);

/** ValueInfoProto → TypeProto.tensor_type → TensorShapeProto.dim → dim_value. */
function valueBytes({ name, dtype, shape }: OnnxValue): Buffer {
  const dims = Buffer.concat(shape.map((n) => bytesField(1, intField(1, n))));
  const tensor = Buffer.concat([intField(1, ELEMENT[dtype]), bytesField(2, dims)]);
  return Buffer.concat([text(1, name), bytesField(2, bytesField(1, tensor))]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let n = BigInt.asUintN(64, BigInt(value)); // negative numbers take ten bytes
  for (; n >= 128n; n >>= 7n) bytes.push(Number(n & 127n) + 128);
  bytes.push(Number(n));
  return bytes;
}

export const intField = (field: number, value: number): Buffer =>
  Buffer.from([...varint(field * 8), ...varint(value)]);

export const bytesField = (field: number, body: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([...varint(field * 8 + 2), ...varint(body.length)]), body]);

const text = (field: number, value: string): Buffer => bytesField(field, Buffer.from(value));
