/**
 * Outputs of modules by their checkpoint path, for comparison with the official activations.
 *
 * A module's output is that of the last node below its path. Fusion moved some work: norms before
 * a convolution include SiLU, and the last layer of a residual branch includes the residual, so
 * that layer alone has no counterpart.
 */
import type { Graph, Name, Tensor } from '../../src/graph/graph.ts';
import type { Golden } from './goldens.ts';

const FUSED_WITH_RESIDUAL =
  /(conv1|conv2|to_out\.0|attn1|attn2|ff|ff\.net\.2|proj_out|self_attn|mlp)$/;
const NOT_COMPUTED = /(dropout|to_out\.1|ff\.net\.1|time_proj)$/;
const WITH_SILU = /(resnets\.\d+\.norm[12]|conv_norm_out)$/;

/** Whether the output of a module, by its path, has a counterpart in our graphs. */
export const hasCounterpart = (path: string): boolean =>
  !FUSED_WITH_RESIDUAL.test(path) && !NOT_COMPUTED.test(path);

/** Golden names `act.<path>` (or their samples) that have a counterpart in our graphs. */
export const comparable = (golden: Golden): string[] =>
  [...golden.tensors.keys()]
    .map((key) => key.replace(/^samples\./, ''))
    .filter((key) => key.startsWith('act.'))
    .filter(hasCounterpart);

/** The graph with `act.<path>` named after the output of `<component>.<path>`. */
export function withTaps(
  graph: Graph,
  component: string,
  golden: Golden,
  acts: readonly string[],
): Graph {
  const names = new Map<string, Name>(graph.names);
  for (const act of acts) {
    const tensor = outputBelow(graph, `${component}.${act.slice('act.'.length)}`);
    const { shape } = golden.at(golden.has(act) ? act : `samples.${act}`);
    // Images are NCHW there; a sequence has no channels to cut off.
    const channels =
      tensor.shape.length === 4 && shape.length === 4 ? shape[1]! : tensor.shape.at(-1)!;
    names.set(act, { tensor, channels });
  }
  return { ...graph, names };
}

/** The output of the last node of a module. */
export function outputBelow({ nodes }: Graph, path: string): Tensor {
  const node = nodes.findLast((n) => n.path === path || n.path.startsWith(`${path}.`));
  if (!node) throw new Error(`no node below ${path}`);
  return node.output;
}

/** What the golden would be if it were computed as ours: SiLU applied where we fuse it. */
export const fusedReference = (act: string, data: Float32Array): Float32Array =>
  WITH_SILU.test(act) ? data.map((v) => v / (1 + Math.exp(-v))) : data;
