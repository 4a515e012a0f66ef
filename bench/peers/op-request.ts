/** What the graphs of all ops share: a request for one, its inputs as ONNX has them, and the result. */
import type { Shape, TensorType } from '../../src/engine/kernel.ts';
import type { Activation } from '../../src/kernels/epilogue.ts';
import type { OnnxGraph, OpModel } from './op-graph.ts';
import { channelsFirst, channelsLast } from './op-layout.ts';
import type { OpSubject, Values } from './op-subject.ts';

export interface OpGraph extends OpModel {
  /** What distinguishes it from the other ways to say the op. */
  readonly form: string;
  /** The provider may insert transposes at the edges of image ops: inside a network they cancel. */
  readonly isImage: boolean;
  /** Its output as ours is stored. */
  ours(output: Float32Array): Float32Array;
}

export interface Request {
  readonly inputs: OpSubject['inputs'];
  readonly values: Values;
  readonly dtype: 'f16' | 'f32';
}

export const SEQUENCE = { isImage: false, ours: (output: Float32Array) => output } as const;

export const imageOf = (y: Shape): Pick<OpGraph, 'isImage' | 'ours'> => ({
  isImage: true,
  ours: (output) => channelsLast(output, y),
});

export const imageShape = ([n = 1, h = 1, w = 1, c = 1]: Shape): Shape => [n, c, h, w];

export function typeOf({ inputs }: Request, name: string): TensorType {
  const type = inputs[name];
  if (!type) throw new Error(`the op has no input ${name}`);
  return type;
}

export function valueOf({ values }: Request, name: string): Float32Array {
  const found = values[name];
  if (!found) throw new Error(`no values for the input ${name}`);
  return found;
}

export function imageInput(g: OnnxGraph, request: Request, name: string): string {
  const { shape } = typeOf(request, name);
  return g.input(name, imageShape(shape), channelsFirst(valueOf(request, name), shape));
}

export const sequenceInput = (g: OnnxGraph, request: Request, name: string): string =>
  g.input(name, typeOf(request, name).shape, valueOf(request, name));

export const vector = (g: OnnxGraph, request: Request, name: string): string =>
  g.constant(name, typeOf(request, name).shape, valueOf(request, name));

export function activate(g: OnnxGraph, x: string, activation: Activation): string {
  switch (activation) {
    case 'none':
      return x;
    case 'silu':
      return g.node('Mul', [x, g.node('Sigmoid', [x])]);
    case 'gelu':
      return g.node('Gelu', [x]);
    case 'quickGelu':
      return g.contributed('QuickGelu', [x], { alpha: { float: 1.702 } });
  }
}

export const nearest = (g: OnnxGraph, x: string, [y, across]: readonly [number, number]): string =>
  g.node('Resize', [x, '', g.scales('scales', [1, 1, y, across])], {
    mode: { text: 'nearest' },
    coordinate_transformation_mode: { text: 'asymmetric' },
    nearest_mode: { text: 'floor' },
  });
