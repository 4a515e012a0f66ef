/**
 * An ONNX network in f32 as one in f16: weights, inputs, outputs and everything between.
 *
 *   halfModel(model)   every f32 tensor becomes f16, and casts to f32 become casts to f16
 *
 * Left in f32: what leads to a sine or cosine, because a timestep's angles reach 199, which f16 holds
 * only to 1/8 (a cast follows the function), and the scales of Resize, which ONNX wants in f32.
 *
 * Field numbers as in onnx-write.ts and onnx.ts.
 */
import { toHalf } from '../../src/weights/half.ts';
import { type Field, fieldsOf } from './onnx.ts';
import { bytesField, ELEMENT, intField } from './onnx-write.ts';

const MODEL_GRAPH = 7;
const GRAPH = { node: 1, initializer: 5, input: 11, output: 12, info: 13 } as const;
const NODE = { input: 1, output: 2, name: 3, op: 4, attribute: 5 } as const;
const ATTRIBUTE = { name: 1, int: 3, tensor: 5 } as const;
const TENSOR = { type: 2, name: 8, raw: 9 } as const;

interface Node {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly body: Uint8Array;
}

export function halfModel(model: Uint8Array): Uint8Array {
  return mapFields(model, { [MODEL_GRAPH]: halfGraph });
}

function halfGraph(graph: Uint8Array): Uint8Array {
  const nodes = [...fieldsOf(graph)]
    .filter(({ number }) => number === GRAPH.node)
    .map(({ body = new Uint8Array() }) => readNode(body));
  const angles = towardsAngles(nodes);
  const kept = new Set([
    ...nodes.filter(({ op }) => op === 'Resize').flatMap(({ inputs }) => inputs.slice(1)),
    ...[...angles].flatMap(({ inputs }) => inputs),
  ]);
  let next = 0;
  const parts = [...fieldsOf(graph)].flatMap(({ number, body, whole }): Uint8Array[] => {
    if (!body) return [whole];
    switch (number) {
      case GRAPH.node: {
        const node = nodes[next++];
        if (!node) return [];
        if (angles.has(node)) return isAngle(node) ? withCast(node) : [whole];
        if (node.outputs.some((name) => kept.has(name))) return [whole];
        return [bytesField(GRAPH.node, halfNode(node))];
      }
      case GRAPH.initializer:
        return [kept.has(nameOf(body, TENSOR.name)) ? whole : bytesField(number, halfTensor(body))];
      case GRAPH.input:
      case GRAPH.output:
        return [bytesField(number, halfValue(body))];
      case GRAPH.info: // optional, and of types that no longer hold
        return [];
      default:
        return [whole];
    }
  });
  return Buffer.concat(parts);
}

const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

const nameOf = (message: Uint8Array, field: number): string =>
  text([...fieldsOf(message)].find(({ number }) => number === field)?.body);

function readNode(body: Uint8Array): Node {
  const fields = [...fieldsOf(body)];
  const all = (field: number): string[] =>
    fields.filter(({ number }) => number === field).map((each) => text(each.body));
  const [op = ''] = all(NODE.op);
  return { op, inputs: all(NODE.input), outputs: all(NODE.output), body };
}

const isAngle = ({ op }: Node): boolean => op === 'Sin' || op === 'Cos';

/** Sines, cosines and all that they depend on. */
function towardsAngles(nodes: readonly Node[]): Set<Node> {
  const producers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node])));
  const found = new Set<Node>();
  const open = nodes.filter(isAngle);
  for (let node = open.pop(); node; node = open.pop()) {
    if (found.has(node)) continue;
    found.add(node);
    for (const name of node.inputs) {
      const producer = producers.get(name);
      if (producer) open.push(producer);
    }
  }
  return found;
}

/** The node with its output renamed, and a cast to f16 under the old name. */
function withCast({ body, outputs }: Node): Uint8Array[] {
  const [output = ''] = outputs;
  const single = `${output} in f32`;
  const renamed = mapFields(body, { [NODE.output]: () => Buffer.from(single) });
  const to = Buffer.concat([
    bytesField(ATTRIBUTE.name, Buffer.from('to')),
    intField(ATTRIBUTE.int, ELEMENT.f16),
    intField(20, 2), // AttributeProto.type: INT
  ]);
  const cast = Buffer.concat([
    bytesField(NODE.input, Buffer.from(single)),
    bytesField(NODE.output, Buffer.from(output)),
    bytesField(NODE.name, Buffer.from(`cast ${output}`)),
    bytesField(NODE.op, Buffer.from('Cast')),
    bytesField(NODE.attribute, to),
  ]);
  return [bytesField(GRAPH.node, renamed), bytesField(GRAPH.node, cast)];
}

const halfNode = ({ op, body }: Node): Uint8Array =>
  mapFields(body, {
    [NODE.attribute]: (attribute) => {
      const isCastTo = op === 'Cast' && nameOf(attribute, ATTRIBUTE.name) === 'to';
      return mapFields(
        attribute,
        { [ATTRIBUTE.tensor]: halfTensor },
        isCastTo ? ATTRIBUTE.int : undefined,
      );
    },
  });

/** ValueInfoProto.type.tensor_type.elem_type */
const halfValue = (value: Uint8Array): Uint8Array =>
  mapFields(value, {
    2: (type) => mapFields(type, { 1: (tensor) => mapFields(tensor, {}, 1) }),
  });

function halfTensor(tensor: Uint8Array): Uint8Array {
  const fields = [...fieldsOf(tensor)];
  if (fields.find(({ number }) => number === TENSOR.type)?.value !== ELEMENT.f32) return tensor;
  const raw = fields.find(({ number }) => number === TENSOR.raw)?.body;
  if (!raw) throw new Error(`${nameOf(tensor, TENSOR.name)}: f32 values that are not raw data`);
  const half = toHalf(new Float32Array(new Uint8Array(raw).buffer));
  return mapFields(tensor, { [TENSOR.raw]: () => new Uint8Array(half.buffer) }, TENSOR.type);
}

/** Bodies of some fields changed; `type` is a varint field of which FLOAT becomes FLOAT16. */
function mapFields(
  message: Uint8Array,
  changes: Readonly<Record<number, (body: Uint8Array) => Uint8Array>>,
  type?: number,
): Uint8Array {
  const changed = ({ number, body, value, whole }: Field): Uint8Array => {
    const change = changes[number];
    if (change && body) return bytesField(number, change(body));
    return number === type && value === ELEMENT.f32 ? intField(number, ELEMENT.f16) : whole;
  };
  return Buffer.concat([...fieldsOf(message)].map(changed));
}
