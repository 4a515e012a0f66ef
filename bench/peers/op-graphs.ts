/**
 * Ops of our graphs as ONNX models: the same inputs, constants and values.
 *
 *   onnxFor(subject, values, dtype)  → the ways in which ONNX can say it; the fastest counts
 *
 * Weights, biases and norm parameters are initialisers, activations are fed. Images are
 * [N, C, H, W] there, so results of image ops are turned back before they are compared. Where
 * PyTorch's exporter has a customary form, that is one of them.
 */
import type { Shape, TensorType } from '../../src/engine/kernel.ts';
import type { AttentionConstants } from '../../src/kernels/attention.ts';
import type { Conv2dConstants } from '../../src/kernels/conv2d.ts';
import type { Activation } from '../../src/kernels/epilogue.ts';
import type { GroupNormConstants } from '../../src/kernels/group-norm-small.ts';
import type { LinearConstants } from '../../src/kernels/matmul.ts';
import { ATTENTION_FORMS } from './op-attention.ts';
import { OnnxGraph, type OpModel } from './op-graph.ts';
import { channelsFirst, channelsLast, outputsFirst, ungated, window } from './op-layout.ts';
import { groupNormAsExported } from './op-norms.ts';
import type { OpSubject, Values } from './op-subject.ts';

export interface OpGraph extends OpModel {
  /** What distinguishes it from the other ways to say the op. */
  readonly form: string;
  /** The provider may insert transposes at the edges of image ops: inside a network they cancel. */
  readonly isImage: boolean;
  /** Its output as ours is stored. */
  ours(output: Float32Array): Float32Array;
}

interface Request {
  readonly inputs: OpSubject['inputs'];
  readonly values: Values;
  readonly dtype: 'f16' | 'f32';
}

export function onnxFor(
  { op, inputs, constants }: OpSubject,
  values: Values,
  dtype: 'f16' | 'f32',
): OpGraph[] {
  const request = { inputs, values, dtype };
  switch (op) {
    case 'conv2d':
      return [convolution(request, constants)];
    case 'upsampleConv2d':
      return [upsampledConvolution(request, constants)];
    case 'linear': {
      const { gated = false } = constants as LinearConstants;
      return gated ? gatedForms(request) : linearForms(request, constants);
    }
    case 'attention':
      return attentionForms(request, constants as AttentionConstants);
    case 'groupNorm': {
      const x = typeOf(request, 'x').shape;
      const g = new OnnxGraph(dtype);
      const y = groupNormAsExported(
        g,
        {
          x: imageInput(g, request, 'x'),
          gamma: valueOf(request, 'gamma'),
          beta: valueOf(request, 'beta'),
        },
        { x: imageShape(x), ...(constants as GroupNormConstants) },
      );
      const { activation = 'none' } = constants as GroupNormConstants;
      const { model, feeds } = g.finish(activate(g, y, activation), imageShape(x));
      // Its transposes count: they are there in a network too.
      return [{ model, feeds, form: 'InstanceNormalization', ...imageOf(x), isImage: false }];
    }
    case 'layerNorm': {
      const g = new OnnxGraph(dtype);
      const x = sequenceInput(g, request, 'x');
      const names = [x, vector(g, request, 'gamma'), vector(g, request, 'beta')];
      const { eps } = constants as { readonly eps: number };
      const y = g.node('LayerNormalization', names, { epsilon: { float: eps }, axis: { int: -1 } });
      return [{ ...g.finish(y, typeOf(request, 'x').shape), form: '', ...SEQUENCE }];
    }
    case 'geglu':
      return gegluForms(request);
    case 'activation': {
      const { shape } = typeOf(request, 'x');
      const g = new OnnxGraph(dtype);
      const { kind } = constants as { readonly kind: Activation };
      const y = activate(g, sequenceInput(g, request, 'x'), kind);
      return [{ ...g.finish(y, shape), form: '', ...SEQUENCE }];
    }
    case 'concat': {
      const a = typeOf(request, 'a').shape;
      const b = typeOf(request, 'b').shape;
      const y = [...a.slice(0, -1), (a.at(-1) ?? 0) + (b.at(-1) ?? 0)];
      const g = new OnnxGraph(dtype);
      const joined = g.node('Concat', [imageInput(g, request, 'a'), imageInput(g, request, 'b')], {
        axis: { int: 1 },
      });
      return [{ ...g.finish(joined, imageShape(y)), form: '', ...imageOf(y) }];
    }
    case 'upsampleNearest': {
      const [n = 1, h = 1, w = 1, c = 1] = typeOf(request, 'x').shape;
      const { height, width } = constants as { readonly height: number; readonly width: number };
      const y = [n, height, width, c];
      const g = new OnnxGraph(dtype);
      const resized = nearest(g, imageInput(g, request, 'x'), [height / h, width / w]);
      return [{ ...g.finish(resized, imageShape(y)), form: '', ...imageOf(y) }];
    }
  }
}

const SEQUENCE = { isImage: false, ours: (output: Float32Array) => output } as const;

const imageOf = (y: Shape): Pick<OpGraph, 'isImage' | 'ours'> => ({
  isImage: true,
  ours: (output) => channelsLast(output, y),
});

const imageShape = ([n = 1, h = 1, w = 1, c = 1]: Shape): Shape => [n, c, h, w];

function typeOf({ inputs }: Request, name: string): TensorType {
  const type = inputs[name];
  if (!type) throw new Error(`the op has no input ${name}`);
  return type;
}

function valueOf({ values }: Request, name: string): Float32Array {
  const found = values[name];
  if (!found) throw new Error(`no values for the input ${name}`);
  return found;
}

function imageInput(g: OnnxGraph, request: Request, name: string): string {
  const { shape } = typeOf(request, name);
  return g.input(name, imageShape(shape), channelsFirst(valueOf(request, name), shape));
}

const sequenceInput = (g: OnnxGraph, request: Request, name: string): string =>
  g.input(name, typeOf(request, name).shape, valueOf(request, name));

const vector = (g: OnnxGraph, request: Request, name: string): string =>
  g.constant(name, typeOf(request, name).shape, valueOf(request, name));

function activate(g: OnnxGraph, x: string, activation: Activation): string {
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

const nearest = (g: OnnxGraph, x: string, [y, across]: readonly [number, number]): string =>
  g.node('Resize', [x, '', g.scales('scales', [1, 1, y, across])], {
    mode: { text: 'nearest' },
    coordinate_transformation_mode: { text: 'asymmetric' },
    nearest_mode: { text: 'floor' },
  });

/** shift, activation and residual after a convolution: [N, C, H, W]. */
function epilogue(
  g: OnnxGraph,
  request: Request,
  { y, activation }: { readonly y: string; readonly activation: Activation },
): string {
  const { shift } = request.inputs;
  let result = y;
  if (shift) {
    const shape = [shift.shape[0] ?? 1, shift.shape[1] ?? 1, 1, 1];
    result = g.node('Add', [result, g.input('shift', shape, valueOf(request, 'shift'))]);
  }
  result = activate(g, result, activation);
  if (!request.inputs['residual']) return result;
  return g.node('Add', [result, imageInput(g, request, 'residual')]);
}

function convolution(request: Request, constants: Conv2dConstants): OpGraph {
  const { stride = 1, activation = 'none' } = constants;
  const { top = 0, left = 0, bottom = 0, right = 0 } = constants.padding ?? {};
  const [n = 1, height = 1, width = 1] = typeOf(request, 'x').shape;
  const weight = typeOf(request, 'weight').shape;
  const [kh = 1, kw = 1, ci = 1, co = 1] = weight;
  const y = [
    n,
    Math.floor((height + top + bottom - kh) / stride) + 1,
    Math.floor((width + left + right - kw) / stride) + 1,
    co,
  ];
  const g = new OnnxGraph(request.dtype);
  const names = [
    imageInput(g, request, 'x'),
    g.constant('weight', [co, ci, kh, kw], outputsFirst(valueOf(request, 'weight'), weight)),
    ...(request.inputs['bias'] ? [vector(g, request, 'bias')] : []),
  ];
  const conv = g.node('Conv', names, {
    kernel_shape: { ints: [kh, kw] },
    pads: { ints: [top, left, bottom, right] },
    strides: { ints: [stride, stride] },
  });
  const result = epilogue(g, request, { y: conv, activation });
  return { ...g.finish(result, imageShape(y)), form: '', ...imageOf(y) };
}

/** Resize and a 3x3 convolution, as the exporter writes it. */
function upsampledConvolution(request: Request, { activation = 'none' }: Conv2dConstants): OpGraph {
  const [n = 1, height = 1, width = 1, ci = 1] = typeOf(request, 'x').shape;
  const co = typeOf(request, 'weight').shape.at(-1) ?? 1;
  const y = [n, 2 * height, 2 * width, co];
  const g = new OnnxGraph(request.dtype);
  const weight = outputsFirst(valueOf(request, 'weight3x3'), [3, 3, ci, co]);
  const names = [
    nearest(g, imageInput(g, request, 'x'), [2, 2]),
    g.constant('weight', [co, ci, 3, 3], weight),
    ...(request.inputs['bias'] ? [vector(g, request, 'bias')] : []),
  ];
  const conv = g.node('Conv', names, {
    kernel_shape: { ints: [3, 3] },
    pads: { ints: [1, 1, 1, 1] },
  });
  const result = activate(g, conv, activation);
  return { ...g.finish(result, imageShape(y)), form: '', ...imageOf(y) };
}

/** MatMul and Add, or Gemm, which has the bias inside. */
function linearForms(request: Request, { activation = 'none' }: LinearConstants): OpGraph[] {
  const x = typeOf(request, 'x').shape;
  const weight = typeOf(request, 'weight').shape;
  const [inner = 1, columns = 1] = weight;
  const rows = x.slice(0, -1).reduce((a, b) => a * b, 1);
  const finish = (g: OnnxGraph, product: string, y: Shape): OpModel => {
    let result = activate(g, product, activation);
    if (request.inputs['residual']) {
      result = g.node('Add', [result, g.input('residual', y, valueOf(request, 'residual'))]);
    }
    return g.finish(result, y);
  };
  const constant = (g: OnnxGraph): string =>
    g.constant('weight', weight, valueOf(request, 'weight'));

  const plain = new OnnxGraph(request.dtype);
  let product = plain.node('MatMul', [sequenceInput(plain, request, 'x'), constant(plain)]);
  if (request.inputs['bias'])
    product = plain.node('Add', [product, vector(plain, request, 'bias')]);
  const matMul = finish(plain, product, [...x.slice(0, -1), columns]);

  const g = new OnnxGraph(request.dtype);
  const names = [g.input('x', [rows, inner], valueOf(request, 'x')), constant(g)];
  if (request.inputs['bias']) names.push(vector(g, request, 'bias'));
  const gemm = finish(g, g.node('Gemm', names), [rows, columns]);
  return [
    { ...matMul, form: 'MatMul', ...SEQUENCE },
    { ...gemm, form: 'Gemm', ...SEQUENCE },
  ];
}

/** Each of q, k and v from its own channel on of the tensor that holds it. */
function attentionForms(
  request: Request,
  { heads, causal = false, channels: given, offsets }: AttentionConstants,
): OpGraph[] {
  if (causal) return [];
  const channels = given ?? typeOf(request, 'q').shape.at(-1) ?? 0;
  const of = (name: 'q' | 'k' | 'v'): { shape: Shape; values: Float32Array } => {
    const { shape } = typeOf(request, name);
    const part = { width: shape.at(-1) ?? 0, from: offsets?.[name] ?? 0, channels };
    return {
      shape: [...shape.slice(0, -1), channels],
      values: window(valueOf(request, name), part),
    };
  };
  const { q, k, v } = { q: of('q'), k: of('k'), v: of('v') };
  return ATTENTION_FORMS.map(({ form, write }) => {
    const g = new OnnxGraph(request.dtype);
    const names = {
      q: g.input('q', q.shape, q.values),
      k: g.input('k', k.shape, k.values),
      v: g.input('v', v.shape, v.values),
    };
    const y = write(g, names, { q: q.shape, kv: k.shape, heads });
    return { ...g.finish(y, q.shape), form, ...SEQUENCE };
  });
}

/** Split, Gelu and Mul, or onnxruntime's BiasSplitGelu, which wants one batch and a bias. */
function gegluForms(request: Request): OpGraph[] {
  const x = typeOf(request, 'x').shape;
  const columns = x.at(-1) ?? 0;
  const rows = x.slice(0, -1).reduce((a, b) => a * b, 1);
  const y = [1, rows, columns / 2];
  return [gatedBySplit, gatedByContributed].map(({ form, write }) => {
    const g = new OnnxGraph(request.dtype);
    const product = g.input('x', [1, rows, columns], valueOf(request, 'x'));
    const result = write(g, { product, columns, bias: undefined });
    return { ...g.finish(result, y), form, ...SEQUENCE };
  });
}

/** A feed-forward block's first layer with its gate. */
function gatedForms(request: Request): OpGraph[] {
  const x = typeOf(request, 'x').shape;
  const weight = typeOf(request, 'weight').shape;
  const [inner = 1, columns = 1] = weight;
  const rows = x.slice(0, -1).reduce((a, b) => a * b, 1);
  const bias = request.inputs['bias'] && ungated(valueOf(request, 'bias'), columns);
  return [gatedBySplit, gatedByContributed].map(({ form, write }) => {
    const g = new OnnxGraph(request.dtype);
    const product = g.node('MatMul', [
      g.input('x', [1, rows, inner], valueOf(request, 'x')),
      g.constant('weight', weight, ungated(valueOf(request, 'weight'), columns)),
    ]);
    const result = write(g, { product, columns, bias });
    return { ...g.finish(result, [1, rows, columns / 2]), form: `MatMul, ${form}`, ...SEQUENCE };
  });
}

interface Gated {
  /** [1, L, columns]: values, then gates. */
  readonly product: string;
  readonly columns: number;
  readonly bias: Float32Array | undefined;
}

interface GateForm {
  readonly form: string;
  readonly write: (g: OnnxGraph, gated: Gated) => string;
}

const gatedBySplit: GateForm = {
  form: 'Split, Gelu, Mul',
  write(g, { product, columns, bias }) {
    const sum = bias ? g.node('Add', [product, g.constant('bias', [columns], bias)]) : product;
    const [value, gate] = g.halves(sum, columns / 2);
    return g.node('Mul', [value, g.node('Gelu', [gate])]);
  },
};

const gatedByContributed: GateForm = {
  form: 'BiasSplitGelu',
  write: (g, { product, columns, bias = new Float32Array(columns) }) =>
    g.contributed('BiasSplitGelu', [product, g.constant('bias', [columns], bias)]),
};
