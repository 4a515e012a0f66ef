/**
 * Which nodes are computed band by band, and in which bands. A strip is a run of nodes that go
 * through an image together: all of them for the first band, then all of them for the second.
 *
 *   groupNormApply → conv2d → … is one strip; what only the strip reads needs no more memory than
 *   one band. Where the convolution looks over the edge of its band, the cheap op before it computes
 *   those rows for both bands.
 *
 * A strip ends at a node that needs more of its predecessor than that (statistics, keys and values,
 * a convolution of a convolution), and has bands only if one of its tensors is large.
 */
import { byteLength } from '../engine/kernel.ts';
import { type Graph, inputsOf, type Node, type Tensor } from './graph.ts';
import type { Limits } from './limits.ts';
import {
  accessOf,
  alignmentOf,
  bandedTensors,
  hasBands,
  imagesOf,
  isCheap,
  isConvolution,
  lcm,
  OFFSET_ALIGNMENT,
  pixelBytes,
  pixelsOf,
  rowsRead,
  type Span,
  unitOf,
  widthOf,
} from './spans.ts';
import type { Uses } from './uses.ts';

/**
 * Of the largest tensor. With the rows around it a band then fits the slot of a part, and it is still
 * enough work for a large GPU.
 */
const BANDS_PER_PART = 2;
/** Room in a part for the rows around it that a convolution reads. */
export const MARGIN_ROWS = 2;

/** A span of one image. */
export interface Band extends Span {
  readonly image: number;
}

export interface Strip {
  readonly nodes: readonly Node[];
  /** Empty where the nodes are computed as they are. */
  readonly bands: readonly Band[];
}

export function stripsOf(
  graph: Graph,
  uses: Uses,
  { bindingBytes, wholeBytes, partBytes }: Limits,
): Strip[] {
  const runs: Node[][] = [];
  for (const node of graph.nodes) {
    const open = runs.at(-1);
    if (open && joins(node, open, uses)) open.push(node);
    else runs.push([node]);
  }
  const isLarge = (run: readonly Node[]): boolean =>
    run.every(hasBands) &&
    run.some((node) => partlyRead(node).some((tensor) => byteLength(tensor) > wholeBytes));
  const large = new Set(runs.filter(isLarge));

  // Strips of one resolution share their bands, so that these fit the parts that tensors lie in.
  const shared = new Map<string, Band[]>();
  const sharedBands = (domain: string): Band[] => {
    const known = shared.get(domain);
    if (known) return known;
    const isMember = (run: readonly Node[]): boolean =>
      run.some((node) => domainOf(node) === domain);
    const members = [...large].filter(isMember).flat();
    const nodes = members.filter((node) => !isStatistics(node));
    const bands = bandsFor(nodes, members.filter(isStatistics), partBytes);
    shared.set(domain, bands);
    return bands;
  };
  return runs.map((nodes): Strip => {
    const [first] = nodes;
    if (!first || !large.has(nodes)) return { nodes, bands: [] };
    if (!isStatistics(first)) return { nodes, bands: sharedBands(domainOf(first)) };
    const isTooLarge = byteLength(first.inputs.x) > bindingBytes;
    return { nodes, bands: isTooLarge ? bandsFor(nodes, [], partBytes) : [] };
  });
}

export const isStatistics = (node: Node | undefined): node is Node<'groupNormPartial'> =>
  node?.op === 'groupNormPartial';

/** The images that a node's bands are spans of. */
const domainTensor = (node: Node): Tensor => (isStatistics(node) ? node.inputs.x : node.output);

const domainOf = (node: Node): string => {
  const tensor = domainTensor(node);
  return `${imagesOf(tensor)} images of ${pixelsOf(tensor)} pixels`;
};

/** Whether a node can be computed for a band right after a run of nodes was computed for it. */
function joins(node: Node, run: readonly Node[], uses: Uses): boolean {
  const [first] = run;
  if (!first || ![first, node].every(hasBands)) return false;
  if (isStatistics(first) || isStatistics(node) || domainOf(first) !== domainOf(node)) return false;
  const made = (id: number): Node | undefined => run.find(({ output }) => output.id === id);
  return inputsOf(node).every(([name, { id }]) => {
    const producer = made(id);
    const access = accessOf(node, name);
    if (!producer || access === 'pixels') return true;
    const isSoleUse = uses.consumers.get(id)?.length === 1 && !uses.pinned.has(id);
    const dependsOnRun = inputsOf(producer).some(([, input]) => made(input.id));
    return access === 'rows' && isCheap(producer) && isSoleUse && !dependsOnRun;
  });
}

/** Tensors of which a band of the node binds no more than it needs. */
const partlyRead = (node: Node): Tensor[] => [
  ...bandedTensors(node),
  ...inputsOf(node).flatMap(([name, tensor]) => (accessOf(node, name) === 'rows' ? [tensor] : [])),
];

/**
 * Bands that suit all of `nodes`, or none where windows would begin at offsets that WebGPU refuses.
 * The `statistics` of their tensors have bands of their own, but can read parts only if these hold
 * whole chunks: so do the bands, unless they would be too large.
 */
function bandsFor(nodes: readonly Node[], statistics: readonly Node[], partBytes: number): Band[] {
  const [first] = nodes;
  if (!first || !nodes.every(hasAlignedImages)) return [];
  const pixels = pixelsOf(domainTensor(first));
  const cut = (length: number): Band[] =>
    Array.from({ length: imagesOf(domainTensor(first)) }, (_, image) =>
      Array.from({ length: Math.ceil(pixels / length) }, (_, i) => ({
        image,
        start: i * length,
        end: Math.min(pixels, (i + 1) * length),
      })),
    ).flat();

  const largest = Math.max(...nodes.flatMap(bandedTensors).map(pixelBytes));
  const margin = Math.max(
    0,
    ...nodes.filter(isConvolution).map(({ output }) => MARGIN_ROWS * widthOf(output)),
  );
  const wanted = (partBytes / largest - margin) / BANDS_PER_PART;
  const least = nodes.map(unitOf).reduce(lcm, 1);
  const chunked = statistics.map(unitOf).reduce(lcm, least);
  const unit = chunked <= wanted ? chunked : least;
  let length = Math.max(1, Math.floor(wanted / unit)) * unit;
  const fits = (bands: readonly Band[]): boolean =>
    bands.every((band) => nodes.every((node) => bytesRead(node, nodes, band) <= partBytes));
  while (length > unit && !fits(cut(length))) length -= unit;
  // Rather a little less each than a last one that is not worth its dispatches.
  const rest = pixels % length;
  if (rest === 0 || rest > length / 3) return cut(length);
  return cut(Math.ceil(pixels / Math.ceil(pixels / length) / unit) * unit);
}

/** With several images, each must begin where a window can. */
const hasAlignedImages = (node: Node): boolean => {
  if (imagesOf(node.output) === 1) return true;
  const slices = inputsOf(node).flatMap(([name, tensor]) =>
    accessOf(node, name) === 'all' || imagesOf(tensor) === 1 ? [] : [tensor],
  );
  return [...slices, node.output].every(
    (tensor) => (byteLength(tensor) / imagesOf(tensor)) % OFFSET_ALIGNMENT === 0,
  );
};

/** The most that a band of a convolution, or the op before it, binds of one image. */
function bytesRead(node: Node, nodes: readonly Node[], band: Band): number {
  if (!isConvolution(node)) return 0;
  const { x } = node.inputs;
  const producer = nodes.find(({ output, op }) => output.id === x.id && op !== 'groupNormPartial');
  const tensors = producer && isCheap(producer) ? [x, ...bandedTensors(producer)] : [x];
  const { start, end } = rowsRead(node, band, alignmentOf(tensors));
  return (end - start) * Math.max(...tensors.map(pixelBytes));
}

/** Read by the strip that writes it alone: it exists for one band. */
export const isLocal = ({ output }: Node, strip: readonly Node[], uses: Uses): boolean =>
  !uses.pinned.has(output.id) &&
  (uses.consumers.get(output.id) ?? []).every((user) => strip.includes(user));
