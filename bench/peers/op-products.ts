/** Linear layers and gates in ONNX, each in several forms. */
import type { Shape } from '../../src/engine/kernel.ts';
import type { LinearConstants } from '../../src/kernels/linear.ts';
import { OnnxGraph, type OpModel } from './op-graph.ts';
import { ungated } from './op-layout.ts';
import {
  activate,
  type OpGraph,
  type Request,
  SEQUENCE,
  sequenceInput,
  typeOf,
  valueOf,
  vector,
} from './op-request.ts';

/** MatMul and Add, or Gemm, which has the bias inside. */
export function linearForms(request: Request, { activation = 'none' }: LinearConstants): OpGraph[] {
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

/** Split, Gelu and Mul, or onnxruntime's BiasSplitGelu, which wants one batch and a bias. */
export function gegluForms(request: Request): OpGraph[] {
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
export function gatedForms(request: Request): OpGraph[] {
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
