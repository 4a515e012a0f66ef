/**
 * Ops of our graphs as ONNX models: the same inputs, constants and values.
 *
 *   onnxFor(subject, values, dtype)  → the ways in which ONNX can say it; the fastest counts
 *
 * Weights, biases and norm parameters are initialisers, activations are fed. Images are
 * [N, C, H, W] there, so results of image ops are turned back before they are compared. Where
 * PyTorch's exporter has a customary form, that is one of them.
 */
import type { Shape } from '../../src/engine/kernel.ts';
import type { AttentionConstants } from '../../src/kernels/attention.ts';
import type { Activation } from '../../src/kernels/epilogue.ts';
import type { GroupNormConstants } from '../../src/kernels/group-norm.ts';
import type { LinearConstants } from '../../src/kernels/linear.ts';
import { ATTENTION_FORMS } from './op-attention.ts';
import { convolution, upsampledConvolution } from './op-convolutions.ts';
import { OnnxGraph } from './op-graph.ts';
import { window } from './op-layout.ts';
import { groupNormAsExported } from './op-norms.ts';
import { gatedForms, gegluForms, linearForms } from './op-products.ts';
import {
  activate,
  imageInput,
  imageOf,
  imageShape,
  nearest,
  type OpGraph,
  type Request,
  SEQUENCE,
  sequenceInput,
  typeOf,
  valueOf,
  vector,
} from './op-request.ts';
import type { OpSubject, Values } from './op-subject.ts';

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
