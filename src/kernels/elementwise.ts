/**
 * Shape checks and entry points of the memory-bound kernels, which compute one `vec4f` (four
 * channels of one pixel) per invocation with consecutive lanes on consecutive vectors.
 *
 *   FLAT_MAIN    calls `fn element(i: u32)` for every i below `params.vectors`
 *   IMAGE_MAIN   calls `fn element(at: Position)` for every vector of an output [N, H, W, C];
 *                needs `params.height`, `params.width` and `params.groups` = C/4 of the output.
 *                Rows and images come from the dispatch grid, so that one integer division per
 *                invocation remains (CPU rasterisers divide lane by lane) and whatever depends on
 *                the row alone is uniform.
 */
import {
  format,
  gridOf,
  MAX_WORKGROUPS_PER_DIMENSION,
  ShapeError,
  sizeOf,
  type TensorType,
} from '../engine/kernel.ts';

const WORKGROUP_SIZE = 64;

export const flatGrid = (vectors: number): [x: number, y: number, z: number] =>
  gridOf(Math.ceil(vectors / WORKGROUP_SIZE));

export const FLAT_MAIN = `@compute @workgroup_size(${WORKGROUP_SIZE})
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (workgroup.y * grid.x + workgroup.x) * ${WORKGROUP_SIZE}u + lane;
  if (i < params.vectors) { element(i); }
}`;

export function imageGrid({ n, height, width, groups }: Image): [x: number, y: number, z: number] {
  const grid: [number, number, number] = [Math.ceil((width * groups) / WORKGROUP_SIZE), height, n];
  if (Math.max(...grid) > MAX_WORKGROUPS_PER_DIMENSION) {
    const limit = `at most ${MAX_WORKGROUPS_PER_DIMENSION} images, rows and 64ths of a row`;
    throw new ShapeError(`y is [${n},${height},${width},${4 * groups}], ${limit} are possible`);
  }
  return grid;
}

export const IMAGE_MAIN = `struct Position {
  i: u32,  // vector index in the output
  n: u32,
  y: u32,
  x: u32,
  group: u32,  // of four channels
}

@compute @workgroup_size(${WORKGROUP_SIZE})
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let column = workgroup.x * ${WORKGROUP_SIZE}u + lane;
  let columns = params.width * params.groups;
  if (column >= columns) { return; }
  let x = column / params.groups;
  let i = (workgroup.z * params.height + workgroup.y) * columns + column;
  element(Position(i, workgroup.z, workgroup.y, x, column - x * params.groups));
}`;

/** The dimensions of an image tensor; `groups` counts groups of four channels. */
export interface Image {
  readonly n: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly groups: number;
}

/** Dimensions of `[N, H, W, C]`, C a multiple of 4; throws on any other shape. */
export function imageOf(what: string, type: TensorType): Image {
  const [n = 0, height = 0, width = 0, channels = 0] = type.shape;
  if (type.shape.length !== 4 || channels % 4 !== 0 || sizeOf(type.shape) === 0) {
    throw new ShapeError(`${what} is ${format(type)}, expected [N,H,W,C] with C a multiple of 4`);
  }
  return { n, height, width, channels, groups: channels / 4 };
}

/** Rows and their length in `[..., C]`, C a multiple of 4; throws on any other shape. */
export function rowsOf(what: string, type: TensorType): { rows: number; channels: number } {
  const channels = type.shape.at(-1) ?? 0;
  if (channels % 4 !== 0 || channels === 0) {
    throw new ShapeError(
      `${what} is ${format(type)}, its last axis must be a non-zero multiple of 4`,
    );
  }
  return { rows: sizeOf(type.shape) / channels, channels };
}

/** Number of groups of four elements; throws where some elements are left over. */
export function vectorsOf(what: string, type: TensorType): number {
  const size = sizeOf(type.shape);
  if (size % 4 !== 0) {
    throw new ShapeError(`${what} is ${format(type)}, its element count must be a multiple of 4`);
  }
  return size / 4;
}
