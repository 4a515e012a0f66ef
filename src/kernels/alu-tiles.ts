/**
 * Tiles of the product on GPUs without matrix units, and which of them suits a shape.
 *
 * A workgroup of `across` × `down` invocations computes down·rows pixels × 4·across·vectors columns;
 * every invocation holds rows × vectors sums of four columns. What to expect of them, unmeasured:
 *
 *   8 × 2    16 loads from shared memory for 256 multiply-adds: the most that 128 registers hold
 *   4 × 2    12 for 128, half the registers: GPUs with few of them (Intel), and few pixels
 *   larger   fewer reads of x and weight, but fewer and heavier workgroups: bad for small images
 *
 * f16 operands lie in shared memory as they are stored, which halves its traffic, and are turned into
 * f32 before each multiply-add, which some GPUs do on the way (AMD, Apple) and others in instructions
 * of their own: 64 for 256 multiply-adds. Hence, after the tile's name,
 *
 *   wide     f32 in shared memory although f16 would do
 *   packed   f16 pairs as u32, where the device has no f16; f32 is the guess there
 *   chunk    products of one step summed in f16, where f16 arithmetic is twice as fast (H200, Intel);
 *            sums of 32 terms are off by some 1e-6 of their power, hence never the guess
 */
import type { Target, TensorType } from '../engine/kernel.ts';
import { sizeClass } from './designs.ts';
import type { ImplicitGemm } from './gemm-program.ts';
import { GROUP_BYTES } from './norm-groups.ts';
import { isPacked } from './storage.ts';
import { momentVectors } from './tile-moments.ts';

export interface AluTile {
  readonly across: number;
  readonly down: number;
  readonly rows: number;
  readonly vectors: number;
}

export const TILES = {
  tile64x64: { across: 8, down: 8, rows: 8, vectors: 2 },
  tile128x64: { across: 8, down: 16, rows: 8, vectors: 2 },
  tile128x128: { across: 16, down: 16, rows: 8, vectors: 2 },
  tile32x64: { across: 8, down: 8, rows: 4, vectors: 2 },
  tile128x32: { across: 4, down: 16, rows: 8, vectors: 2 },
  tile128x16: { across: 4, down: 16, rows: 8, vectors: 1 },
  tile128x4: { across: 1, down: 64, rows: 2, vectors: 1 },
} as const satisfies Readonly<Record<string, AluTile>>;
type TileName = keyof typeof TILES;

const WIDE = ['tile64x64', 'tile128x64', 'tile128x128', 'tile32x64'] as const;
const NARROW = ['tile128x32', 'tile128x16', 'tile128x4'] as const;

const KINDS = ['wide', 'packed', 'chunk'] as const;
type Kind = (typeof KINDS)[number];

/** A vector of four in shared memory: f32, f16, or two pairs of f16. */
export type Staged = 'vec4f' | 'vec4<f16>' | 'vec2u';

/** What every device has: maxComputeWorkgroupStorageSize. */
const MAX_SHARED_BYTES = 16_384;
/** Vectors of x that an invocation fetches ahead, at most: they take registers. */
const MAX_FETCHED = 8;
/** Vectors of columns times parts whose moments are merged at a time (tile-moments.ts): 3 KiB to 768 bytes. */
const SLOTS = [64, 32, 16] as const;
/** From so many workgroups on, a larger tile leaves enough of them: about two for each processor of an H200. */
const MANY_WORKGROUPS = 256;

export const pixelsOf = ({ down, rows }: AluTile): number => down * rows;
export const columnsOf = ({ across, vectors }: AluTile): number => 4 * across * vectors;

/** How one tile is computed: everything that the WGSL text depends on. */
export interface AluDesign extends AluTile {
  /** Vectors of four input channels in one step. */
  readonly depth: number;
  /** Vectors from one pixel to the next in shared memory; odd, so that rows start on other banks. */
  readonly pitch: number;
  /** Types of the staged vectors. */
  readonly x: Staged;
  readonly weight: Staged;
  /** Tiles' moments that are merged at a time, where there are moments (tile-moments.ts). */
  readonly slots: number;
  /** Sums the products of a step in f16. */
  readonly isChunked: boolean;
}

/** Undefined where the tile does not fit into shared memory, or is no other than the plain one. */
function designOf(
  tile: AluTile,
  { x, weight, rowNorm, groupNormed, momentChannels }: ImplicitGemm,
  target: Target,
  kind: Kind | undefined,
): AluDesign | undefined {
  const hasF16 = !isPacked(target);
  if (kind && (kind === 'packed') === hasF16) return undefined;
  const half = hasF16 ? 'vec4<f16>' : 'vec2u';
  const keepsHalf = hasF16 ? kind !== 'wide' : kind === 'packed';
  const staged = ({ dtype }: TensorType): Staged => (dtype === 'f16' && keepsHalf ? half : 'vec4f');
  const types = { x: staged(x), weight: staged(weight) };
  const isChunked = kind === 'chunk';
  if (isChunked && !(types.x === 'vec4<f16>' && types.weight === 'vec4<f16>')) return undefined;
  if (kind && x.dtype !== 'f16' && weight.dtype !== 'f16') return undefined;
  const bytesOf = (type: Staged) => (type === 'vec4f' ? 16 : 8);
  const vectors = columnsOf(tile) / 4;
  const [fitting] = [8, 4].flatMap((depth) => {
    const fetched = (pixelsOf(tile) * depth) / (tile.across * tile.down);
    const tiles =
      pixelsOf(tile) * (depth + 1) * bytesOf(types.x) + 4 * depth * vectors * bytesOf(types.weight);
    const norms = (rowNorm ? 8 * pixelsOf(tile) : 0) + (groupNormed ? GROUP_BYTES : 0);
    // A deep step matters more than moments that are merged in few turns.
    const slots = (
      momentChannels === undefined
        ? [0]
        : SLOTS.map((n) => Math.max(1, Math.min(tile.down / 2, n / vectors)))
    ).find(
      (n) => tiles + norms + 16 * momentVectors({ columns: vectors, slots: n }) <= MAX_SHARED_BYTES,
    );
    return slots === undefined || fetched > MAX_FETCHED ? [] : [{ depth, slots }];
  });
  if (fitting === undefined) return undefined;
  return { ...tile, ...types, ...fitting, pitch: fitting.depth + 1, isChunked };
}

/** By name, e.g. `tile64x64` or `tile64x64 wide`. */
export function aluDesign(name: string, gemm: ImplicitGemm, target: Target): AluDesign | undefined {
  const [tile = '', suffix] = name.split(' ');
  const kind = KINDS.find((known) => known === suffix);
  return tile in TILES && kind === suffix
    ? designOf(TILES[tile as TileName], gemm, target, kind)
    : undefined;
}

/** The designs worth measuring for a product, the best guess first. */
export function aluDesigns(gemm: ImplicitGemm, target: Target): readonly [string, ...string[]] {
  const guess = guessOf(gemm);
  const tiles: readonly TileName[] = NARROW.some((name) => name === guess)
    ? NARROW.filter((name) => {
        const columns = columnsOf(TILES[name]);
        return columns <= 4 * gemm.channels && gemm.channels <= 4 * columns;
      })
    : WIDE;
  const others = tiles.filter((name) => name !== guess);
  const names = [...others, ...KINDS.map((kind) => `${guess} ${kind}`)];
  return [guess, ...names.filter((name) => aluDesign(name, gemm, target) !== undefined)];
}

/**
 * The width that computes the fewest columns in vain, weighed by how much of the arithmetic its loads
 * leave over; then the tallest tile that still gives many workgroups.
 */
function guessOf(gemm: ImplicitGemm): TileName {
  const { channels } = gemm;
  const pixels = gemm.pixels.height * gemm.pixels.width;
  const computed = (name: TileName): number => {
    const { across, rows, vectors } = TILES[name];
    const columns = 4 * across * vectors;
    // For every four channels rows + 4·vectors loads, each counted as four of the 4·rows·vectors products.
    const work = (rows * vectors) / (rows * vectors + rows + 4 * vectors);
    return (Math.ceil(channels / columns) * columns) / work;
  };
  const narrow = NARROW.toSorted((a, b) => computed(a) - computed(b))[0] ?? 'tile128x32';
  if (computed(narrow) < computed('tile64x64')) return narrow;
  const workgroups = (name: TileName): number =>
    gemm.batch *
    gemm.phases *
    Math.ceil(pixels / pixelsOf(TILES[name])) *
    Math.ceil(channels / columnsOf(TILES[name]));
  if (pixels <= pixelsOf(TILES.tile32x64)) return 'tile32x64';
  return workgroups('tile128x64') >= MANY_WORKGROUPS ? 'tile128x64' : 'tile64x64';
}

/** What a tuning table knows a product by, whatever the family that computes it. */
export const gemmKey = ({ x, weight, taps, pixels, ...gemm }: ImplicitGemm): string =>
  sizeClass(
    `gemm ${x.dtype} ${weight.dtype} ${taps.y}x${taps.x}${gemm.weightsPerImage ? ' batched' : ''}`,
    {
      m: gemm.batch * gemm.phases * pixels.height * pixels.width,
      n: gemm.channels,
      k: taps.y * taps.x * gemm.input.channels,
      ...(gemm.splits !== undefined && { parts: gemm.splits }),
    },
  );
