/** Convolutions in ONNX, with what our kernels have in their epilogue. */
import type { Conv2dConstants } from '../../src/kernels/conv2d.ts';
import type { Activation } from '../../src/kernels/epilogue.ts';
import { OnnxGraph } from './op-graph.ts';
import { outputsFirst } from './op-layout.ts';
import {
  activate,
  imageInput,
  imageOf,
  imageShape,
  nearest,
  type OpGraph,
  type Request,
  typeOf,
  valueOf,
  vector,
} from './op-request.ts';

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

export function convolution(request: Request, constants: Conv2dConstants): OpGraph {
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
export function upsampledConvolution(
  request: Request,
  { activation = 'none' }: Conv2dConstants,
): OpGraph {
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
