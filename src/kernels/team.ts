/**
 * Teams: the invocations that reduce one row together. WGSL shared by the row kernels (layer norm, group
 * norm's finalize).
 *
 *   cpu   one invocation per row, eight rows per workgroup: no shared memory, no barriers
 *   alu   one workgroup per row; `team_sum` reduces through shared memory
 *
 * A kernel splices `wgsl` in, opens its entry point with `teamMain` and `begin`, and walks its row
 * with `for (var i = part; i < n; i += TEAM)`.
 */
import { gridOf, type Target } from '../engine/kernel.ts';

export interface Team {
  readonly wgsl: string;
  /** Declares `row` (uniform over a team) and `part`; returns when row ≥ params.rows. */
  readonly begin: string;
  readonly workgroups: (rows: number) => [x: number, y: number, z: number];
}

/** One SIMD vector of a CPU rasteriser. */
const CPU_ROWS = 8;
const GPU_TEAM = 64;

/** The entry point's signature; `begin` follows its brace. */
export const teamMain = (target: Target): string => `
@compute @workgroup_size(${target.family === 'cpu' ? CPU_ROWS : GPU_TEAM})
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) lane: u32,
)`;

export function teamOf(target: Target): Team {
  if (target.family === 'cpu') {
    return {
      wgsl: `const TEAM: u32 = 1;
fn team_sum(value: f32, part: u32) -> f32 { return value; }`,
      begin: `let row = (workgroup.y * grid.x + workgroup.x) * ${CPU_ROWS}u + lane;
  let part = 0u;
  if (row >= params.rows) { return; }`,
      workgroups: (rows) => gridOf(Math.ceil(rows / CPU_ROWS)),
    };
  }
  return {
    wgsl: `const TEAM: u32 = ${GPU_TEAM};
var<workgroup> team_scratch: array<f32, TEAM>;
fn team_sum(value: f32, part: u32) -> f32 {
  team_scratch[part] = value;
  for (var stride = TEAM / 2u; stride > 0u; stride >>= 1u) {
    workgroupBarrier();
    if (part < stride) { team_scratch[part] += team_scratch[part + stride]; }
  }
  return workgroupUniformLoad(&team_scratch[0]);
}`,
    begin: `let row = workgroup.y * grid.x + workgroup.x;
  let part = lane;
  if (row >= params.rows) { return; }`,
    workgroups: (rows) => gridOf(rows),
  };
}
