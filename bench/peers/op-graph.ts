/**
 * A small ONNX graph under construction, all of whose tensors but shapes have one type.
 *
 *   input      a tensor that is fed; its host values in f32, stored as f16 where that is the type
 *   constant   an initialiser
 *   node       appends a node and returns the name of its output
 *   finish     the model's bytes with its feeds
 */
import { sizeOf } from '../../src/engine/kernel.ts';
import { toHalf } from '../../src/weights/half.ts';
import {
  dimensions,
  MICROSOFT,
  type OnnxAttribute,
  type OnnxInitializer,
  type OnnxNode,
  type OnnxValue,
  writeModel,
} from './onnx-write.ts';

export interface Feed {
  readonly shape: readonly number[];
  /** Halves of f16 as their bits. */
  readonly data: Float32Array | Uint16Array;
}

export interface OpModel {
  readonly model: Uint8Array;
  readonly feeds: Readonly<Record<string, Feed>>;
}

export type Attributes = Readonly<Record<string, OnnxAttribute>>;

export class OnnxGraph {
  readonly dtype: 'f16' | 'f32';
  readonly #nodes: OnnxNode[] = [];
  readonly #inputs: OnnxValue[] = [];
  readonly #initializers: OnnxInitializer[] = [];
  readonly #feeds: Record<string, Feed> = {};

  constructor(dtype: 'f16' | 'f32') {
    this.dtype = dtype;
  }

  input(name: string, shape: readonly number[], values: Float32Array): string {
    this.#expectSize(name, shape, values);
    this.#inputs.push({ name, dtype: this.dtype, shape });
    this.#feeds[name] = { shape, data: this.dtype === 'f16' ? toHalf(values) : values };
    return name;
  }

  constant(name: string, shape: readonly number[], values: Float32Array): string {
    this.#expectSize(name, shape, values);
    const { buffer, byteOffset, byteLength } = this.dtype === 'f16' ? toHalf(values) : values;
    const bytes = new Uint8Array(buffer, byteOffset, byteLength);
    this.#initializers.push({ name, dtype: this.dtype, shape, bytes });
    return name;
  }

  /** One number, in the graph's type. */
  scalar(name: string, value: number): string {
    return this.constant(name, [], Float32Array.of(value));
  }

  /** f32 whatever the graph's type: scales of Resize. */
  scales(name: string, values: readonly number[]): string {
    const bytes = new Uint8Array(Float32Array.from(values).buffer);
    this.#initializers.push({ name, dtype: 'f32', shape: [values.length], bytes });
    return name;
  }

  node(op: string, inputs: readonly string[], attributes: Attributes = {}): string {
    return this.#append({ op, inputs, attributes });
  }

  /** An operator of onnxruntime's own. */
  contributed(op: string, inputs: readonly string[], attributes: Attributes = {}): string {
    return this.#append({ op, inputs, attributes, domain: MICROSOFT });
  }

  reshape(x: string, shape: readonly number[]): string {
    const name = `shape ${this.#initializers.length}`;
    this.#initializers.push(dimensions(name, shape));
    return this.node('Reshape', [x, name]);
  }

  transpose(x: string, order: readonly number[]): string {
    return this.node('Transpose', [x], { perm: { ints: order } });
  }

  /** The halves of the last axis. */
  halves(x: string, channels: number): readonly [first: string, second: string] {
    const name = `split ${this.#initializers.length}`;
    this.#initializers.push(dimensions(name, [channels, channels]));
    const outputs = [`first of ${x}`, `second of ${x}`] as const;
    this.#nodes.push({
      op: 'Split',
      inputs: [x, name],
      outputs,
      attributes: { axis: { int: -1 } },
    });
    return outputs;
  }

  finish(output: string, shape: readonly number[]): OpModel {
    const outputs = [{ name: output, dtype: this.dtype, shape }];
    const model = writeModel({
      nodes: this.#nodes,
      inputs: this.#inputs,
      outputs,
      initializers: this.#initializers,
    });
    return { model, feeds: this.#feeds };
  }

  #append(node: Omit<OnnxNode, 'outputs'>): string {
    const output = `t${this.#nodes.length}`;
    this.#nodes.push({ ...node, outputs: [output] });
    return output;
  }

  #expectSize(name: string, shape: readonly number[], values: Float32Array): void {
    if (sizeOf(shape) === values.length) return;
    throw new Error(`${name}: ${values.length} values for the shape [${shape.join(',')}]`);
  }
}
