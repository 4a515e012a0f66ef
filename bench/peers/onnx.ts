/**
 * The embedded model's networks as ONNX. graphs/*.onnx.gz are PyTorch's exports without their
 * weights: each initialiser names the checkpoint tensor it comes from, in its doc_string.
 *
 *   skeletonOf(onnx, tensors)     → what is committed     (npm run bench -- pick-graphs DIR)
 *   fillSkeleton(skeleton, read)  → the export again, byte for byte
 *
 * ONNX is protobuf; what is needed of it: ModelProto.graph = 7, GraphProto.initializer = 5,
 * TensorProto.name = 8, raw_data = 9, doc_string = 12.
 */
const GRAPH = 7;
const INITIALIZER = 5;
const NAME = 8;
const RAW_DATA = 9;
const DOC_STRING = 12;

export interface Field {
  readonly number: number;
  /** Tag, length and content, as they stand in the file. */
  readonly whole: Uint8Array;
  /** Content of a length-delimited field. */
  readonly body?: Uint8Array;
  /** Value of a varint field. */
  readonly value?: number;
}

export function* fieldsOf(message: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++];
      if (byte === undefined) throw new Error('ONNX file: truncated');
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const start = at;
    const tag = varint();
    const number = tag >>> 3;
    const wire = tag & 7;
    if (wire === 0) {
      const value = varint();
      yield { number, value, whole: message.subarray(start, at) };
    } else if (wire === 2) {
      const length = varint();
      const body = message.subarray(at, at + length);
      at += length;
      yield { number, body, whole: message.subarray(start, at) };
    } else {
      if (wire !== 1 && wire !== 5) throw new Error(`ONNX file: wire type ${wire}`);
      at += wire === 1 ? 8 : 4;
      yield { number, whole: message.subarray(start, at) };
    }
  }
}

function encodeField(number: number, body: Uint8Array): Uint8Array {
  const head: number[] = [];
  for (let n of [number * 8 + 2, body.length]) {
    for (; n >= 128; n = Math.floor(n / 128)) head.push((n % 128) + 128);
    head.push(n);
  }
  return Buffer.concat([Uint8Array.from(head), body]);
}

/** The model with every initialiser replaced by `map` of it. */
function mapInitializers(model: Uint8Array, map: (tensor: Uint8Array) => Uint8Array): Uint8Array {
  const rewrite = (
    message: Uint8Array,
    field: number,
    change: (body: Uint8Array) => Uint8Array,
  ): Uint8Array =>
    Buffer.concat(
      [...fieldsOf(message)].map(({ number, body, whole }) =>
        number === field && body ? encodeField(number, change(body)) : whole,
      ),
    );
  return rewrite(model, GRAPH, (graph) => rewrite(graph, INITIALIZER, map));
}

/** A checkpoint tensor as an initialiser holds it. */
export interface Source {
  /** e.g. `unet/conv_in.weight`, or `unet/…to_q.weight transposed`. */
  readonly reference: string;
  readonly bytes: Uint8Array;
}

/** Initialisers equal to one of `sources` give way to its reference; the others stay. */
export function skeletonOf(
  model: Uint8Array,
  sources: readonly Source[],
): { skeleton: Uint8Array; kept: string[] } {
  const text = new TextDecoder();
  const kept: string[] = [];
  const skeleton = mapInitializers(model, (tensor) => {
    const fields = [...fieldsOf(tensor)];
    const name = text.decode(fields.find(({ number }) => number === NAME)?.body);
    const raw = fields.find(({ number }) => number === RAW_DATA)?.body;
    const source = raw && sources.find(({ bytes }) => Buffer.compare(bytes, raw) === 0);
    if (!source) {
      kept.push(name);
      return tensor;
    }
    const reference = new TextEncoder().encode(source.reference);
    return Buffer.concat(
      fields.map(({ number, whole }) =>
        number === RAW_DATA ? encodeField(DOC_STRING, reference) : whole,
      ),
    );
  });
  return { skeleton, kept };
}

/** `bytesOf` gives the tensor that a reference names, as f32. */
export function fillSkeleton(
  skeleton: Uint8Array,
  bytesOf: (reference: string) => Uint8Array,
): Uint8Array {
  return mapInitializers(skeleton, (tensor) =>
    Buffer.concat(
      [...fieldsOf(tensor)].map(({ number, body, whole }) =>
        number === DOC_STRING && body
          ? encodeField(RAW_DATA, bytesOf(new TextDecoder().decode(body)))
          : whole,
      ),
    ),
  );
}
