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
import { PART_BYTES } from './slots.ts';
import { type Graph, inputsOf, type Node, type Tensor } from './graph.ts';
import {
  accessOf,
  alignmentOf,
  bandedTensors,
  hasBands,
  imagesOf,
  isCheap,
  lcm,
  OFFSET_ALIGNMENT,
  pixelBytes,
  pixelsOf,
  rowsRead,
  type Span,
  unitOf,
} from './spans.ts';

/** A graph without a tensor above this is not worth the trouble. */
const LARGE_BYTES = 32 * 2 ** 20;
/**
 * Of the largest tensor. With the rows around it a band then fits the slot of a part, and it is still
 * enough work for a large GPU.
 */
const BANDS_PER_PART = 2;

/** A span of one image. */
export interface Band extends Span {
  readonly image: number;
}

export interface Strip {
  readonly nodes: readonly Node[];
  /** Empty where the nodes are computed as they are. */
  readonly bands: readonly Band[];
}

/** Where a graph's tensors come from and go. */
export interface Uses {
  readonly producers: ReadonlyMap<number, Node>;
  readonly consumers: ReadonlyMap<number, readonly Node[]>;
  /** Named and external tensors keep their storage. */
  readonly pinned: ReadonlySet<number>;
}

export function usesOf({ nodes, externals, names }: Graph): Uses {
  const consumers = new Map<number, Node[]>();
  for (const node of nodes) {
    for (const id of new Set(inputsOf(node).map(([, tensor]) => tensor.id))) {
      consumers.set(id, [...(consumers.get(id) ?? []), node]);
    }
  }
  return {
    producers: new Map(nodes.map((node) => [node.output.id, node])),
    consumers,
    pinned: new Set([...externals.keys(), ...[...names.values()].map(({ tensor }) => tensor.id)]),
  };
}

export interface Limits {
  /** What a dispatch may bind of one tensor. */
  readonly bindingBytes: number;
  /** Larger tensors are computed in bands, … */
  readonly wholeBytes: number;
  /** … and lie in parts of at most this. */
  readonly partBytes: number;
}

export function limitsOf({ nodes }: Graph, maxBindingBytes: number): Limits {
  const isLarge = nodes.some(({ output }) => byteLength(output) > LARGE_BYTES);
  const partBytes = Math.min(PART_BYTES, maxBindingBytes);
  return {
    bindingBytes: maxBindingBytes,
    wholeBytes: isLarge ? partBytes : maxBindingBytes,
    partBytes,
  };
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

  // Strips of one resolution share their bands, so that these fit the parts that tensors lie in.
  const shared = new Map<string, Band[]>();
  const sharedBands = (domain: string): Band[] => {
    const isMember = (run: readonly Node[]): boolean =>
      isLarge(run) && run.some((node) => domainOf(node) === domain);
    const members = runs.filter(isMember).flat();
    const nodes = members.filter((node) => !isStatistics(node));
    const bands = shared.get(domain) ?? bandsFor(nodes, members.filter(isStatistics), partBytes);
    shared.set(domain, bands);
    return bands;
  };
  return runs.map((nodes): Strip => {
    const [first] = nodes;
    if (!first || !isLarge(nodes)) return { nodes, bands: [] };
    if (!isStatistics(first)) return { nodes, bands: sharedBands(domainOf(first)) };
    const isTooLarge = byteLength(first.inputs.x) > bindingBytes;
    return { nodes, bands: isTooLarge ? bandsFor(nodes, [], partBytes) : [] };
  });
}

const isStatistics = (node: Node | undefined): node is Node<'groupNormPartial'> =>
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
  const wanted = partBytes / BANDS_PER_PART / largest;
  const least = nodes.map(unitOf).reduce(lcm, 1);
  const chunked = statistics.map(unitOf).reduce(lcm, least);
  const unit = chunked <= wanted ? chunked : least;
  let length = Math.max(1, Math.floor(wanted / unit)) * unit;
  const fits = (bands: readonly Band[]): boolean =>
    bands.every((band) => nodes.every((node) => bytesRead(node, nodes, band) <= partBytes));
  while (length > unit && !fits(cut(length))) length -= unit;
  // As many bands of about the same length.
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
  if (node.op !== 'conv2d' && node.op !== 'upsampleConv2d') return 0;
  const { x } = node.inputs;
  const producer = nodes.find(({ output, op }) => output.id === x.id && op !== 'groupNormPartial');
  const tensors = producer && isCheap(producer) ? [x, ...bandedTensors(producer)] : [x];
  const { start, end } = rowsRead(node, band, alignmentOf(tensors));
  return (end - start) * Math.max(...tensors.map(pixelBytes));
}

/** A tensor in parts: spans of its images, each in a buffer of its own that is free after its last use. */
export type Parts = readonly Band[];

/**
 * Which tensors lie in parts: large ones that every node accesses pixel by pixel, in bands. A part
 * is as many bands as `partBytes` hold.
 */
export function partsOf(
  strips: readonly Strip[],
  { consumers, producers, pinned }: Uses,
  { wholeBytes, partBytes }: Limits,
): ReadonlyMap<number, Parts> {
  const bandsOf = new Map(strips.flatMap(({ nodes, bands }) => nodes.map((node) => [node, bands])));
  const parts = new Map<number, Parts>();
  for (const [id, producer] of producers) {
    const { output } = producer;
    const bands = bandsOf.get(producer) ?? [];
    if (pinned.has(id) || isStatistics(producer) || bands.length === 0) continue;
    if (byteLength(output) <= wholeBytes) continue;
    const joined = joinBands(bands, Math.floor(partBytes / pixelBytes(output)));
    const suits = (node: Node): boolean => {
      if (isStatistics(node)) {
        const unit = unitOf(node);
        return joined.every(({ end }) => end % unit === 0 || end === pixelsOf(output));
      }
      const isPixelwise = inputsOf(node).every(
        ([name, tensor]) => tensor.id !== id || accessOf(node, name) === 'pixels',
      );
      return isPixelwise && bandsOf.get(node) === bands;
    };
    const users = consumers.get(id) ?? [];
    if (users.every(suits)) parts.set(id, joined);
  }
  return parts;
}

/** Neighbouring bands of an image together, while they have no more than `pixels`. */
function joinBands(bands: readonly Band[], pixels: number): Band[] {
  const joined: Band[] = [];
  for (const band of bands) {
    const last = joined.at(-1);
    if (last && last.image === band.image && band.end - last.start <= pixels) {
      joined[joined.length - 1] = { ...last, end: band.end };
    } else {
      joined.push(band);
    }
  }
  return joined;
}
