/**
 * Which tensors lie in parts: spans of rows, each in a buffer of its own that is free after its last
 * use. So what is made of a large tensor takes the place of the tensor while it is made.
 *
 * All nodes that read the tensor must have bands that fit the parts. Where a convolution reads it, a
 * part also holds the rows around it: they are computed twice, a row or two in a hundred.
 */
import { byteLength } from '../engine/kernel.ts';
import { inputsOf, type Node, type Tensor } from './graph.ts';
import type { Limits } from './limits.ts';
import {
  accessOf,
  alignmentOf,
  bandedTensors,
  type Convolution,
  hull,
  isConvolution,
  pixelBytes,
  pixelsOf,
  rowsOver,
  rowsRead,
  type Span,
  unitOf,
  widthOf,
} from './spans.ts';
import { type Band, isLocal, isStatistics, MARGIN_ROWS, type Strip } from './strips.ts';
import type { Uses } from './uses.ts';

export interface Part extends Band {
  /** What the buffer holds: the rows around the part too, where a convolution reads the tensor. */
  readonly stored: Span;
}

/** The parts by tensor id. Each is as many bands as `partBytes` hold. */
export function partsOf(
  strips: readonly Strip[],
  uses: Uses,
  limits: Limits,
): ReadonlyMap<number, readonly Part[]> {
  const bandsOf = new Map(strips.flatMap(({ nodes, bands }) => nodes.map((node) => [node, bands])));
  const parts = new Map<number, readonly Part[]>();
  for (const strip of strips) {
    for (const node of strip.nodes) {
      const { output } = node;
      if (strip.bands.length === 0 || byteLength(output) <= limits.wholeBytes) continue;
      if (uses.pinned.has(output.id) || isLocal(node, strip.nodes, uses)) continue;
      const found = partsOfOutput(node, strip, { uses, bandsOf, ...limits });
      if (found) parts.set(output.id, found);
    }
  }
  return parts;
}

function partsOfOutput(
  node: Node,
  strip: Strip,
  { uses, bandsOf, partBytes }: Limits & { uses: Uses; bandsOf: ReadonlyMap<Node, Strip['bands']> },
): Part[] | undefined {
  const { output } = node;
  const users = uses.consumers.get(output.id) ?? [];
  const around = users.filter(
    (user): user is Convolution => isConvolution(user) && user.inputs.x.id === output.id,
  );
  if (around.length > 0 && !canExtend(node, strip.nodes, uses)) return undefined;
  const margin = Math.max(0, ...around.map(({ inputs }) => MARGIN_ROWS * widthOf(inputs.x)));
  const length = Math.floor(partBytes / pixelBytes(output)) - margin;
  const parts = joinBands(strip.bands, length);

  const suits = (user: Node): boolean => {
    if (isStatistics(user)) return parts.every(({ end }) => isEdge(end, output, unitOf(user)));
    const accesses = inputsOf(user).flatMap(([name, { id }]) =>
      id === output.id ? [accessOf(user, name)] : [],
    );
    if (accesses.every((access) => access === 'pixels')) return bandsOf.get(user) === strip.bands;
    return (
      isConvolution(user) &&
      accesses.every((access) => access === 'rows') &&
      bandsOf.get(user)?.length !== 0 &&
      parts.every(
        (part) =>
          isEdge(part.end, output, widthOf(user.inputs.x)) &&
          isEdge(rowsOver(user, part).end, user.output, unitOf(user)),
      )
    );
  };
  if (!users.every(suits)) return undefined;
  const alignment = alignmentOf([output, ...strip.nodes.flatMap(bandedTensors)]);
  return parts.map((part) => {
    const read = around
      .map((user) => ({ user, span: rowsOver(user, part) }))
      .filter(({ span }) => span.start < span.end)
      .map(({ user, span }) => rowsRead(user, span, alignment));
    return { ...part, stored: hull([part, ...read]) };
  });
}

const isEdge = (pixel: number, tensor: Tensor, unit: number): boolean =>
  pixel % unit === 0 || pixel === pixelsOf(tensor);

/** Whether a band of the node can have more rows than those of the nodes that others read, too. */
function canExtend(node: Node, strip: readonly Node[], uses: Uses): boolean {
  const inputs = new Set(inputsOf(node).map(([, { id }]) => id));
  return strip
    .filter(({ output }) => inputs.has(output.id))
    .every((producer) => isLocal(producer, strip, uses) && canExtend(producer, strip, uses));
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
