/**
 * Records as the bench writes them, with figures made up by rule: a device that never was, so that
 * nobody takes them for measurements. For tests of what is drawn from records.
 */
import type { ProfileRecord } from '../../bench/profile-record.ts';
import type { KernelRecord, KernelRow } from '../../bench/record.ts';
import type { DispatchTiming } from '../../src/engine/profiler.ts';
import { NVIDIA, withMatrix } from './matrices.ts';

const machine = {
  date: '2026-01-02T03:04',
  commit: 'abc1234',
  adapter: 'Fixture 9000',
  vendor: 'fixture',
  architecture: 'made-up',
  shaderF16: true,
  dawn: 'webgpu 0.0.0',
  node: 'v20.0.0',
  cpu: 'Fixture CPU',
  cores: 2,
  load: 0,
};

// --- a profiled run ----------------------------------------------------------------------------

const LAYERS: readonly (readonly [path: string, name: string, microseconds: number])[] = [
  ['lr.centre', 'affine', 10],
  ['noise_predictor.encoder.conv_in', 'conv2d', 40],
  ['noise_predictor.encoder.down_blocks.0.resnets.0.norm1.partial', 'groupNormPartial', 12],
  ['noise_predictor.encoder.down_blocks.0.resnets.0.norm1', 'groupNormApply', 15],
  ['noise_predictor.encoder.down_blocks.0.resnets.0.conv1', 'conv2d', 200],
  ['noise_predictor.encoder.mid_block.attentions.0', 'attention', 300],
  ['vae.encoder.conv_in', 'conv2d', 80],
  ['vae.encoder.down_blocks.0.resnets.0.conv1', 'conv2d', 420],
  ['unet.conv_in', 'conv2d', 30],
  ['unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1', 'attention', 150],
  ['unet.down_blocks.0.attentions.0.transformer_blocks.0.ff.net.2', 'linear', 90],
  ['vae.decoder.up_blocks.0.upsamplers.0.conv', 'upsampleConv2d', 500],
  ['vae.decoder.conv_out', 'conv2d', 60],
  ['patch', 'affine', 8],
];

function dispatches(): DispatchTiming[] {
  let begin = 0;
  return LAYERS.map(([path, name, microseconds], i) => {
    const timing: DispatchTiming = {
      path,
      name,
      variant: `f16 [1,64,64,${16 + i}]`,
      begin,
      nanoseconds: 1000 * microseconds,
      submit: i < 8 ? 0 : 1,
      workgroups: [8, 4, 1],
      flops: name.startsWith('group') ? 0 : 2e6 * microseconds,
      bytes: 1e4 * microseconds,
    };
    // A microsecond between dispatches, ten between submits.
    begin += timing.nanoseconds + (i === 7 ? 10_000 : 1000);
    return timing;
  });
}

export const profileRecord: ProfileRecord = {
  bench: 'profile',
  machine,
  model: 'invsr-nano',
  tile: 128,
  precision: 'f16',
  dispatches: dispatches(),
};

// --- a bench of kernels ------------------------------------------------------------------------

const ceilings = { copyGBs: 400, f32Gflops: 9000, f16Gflops: 18_000, matrixGflops: 60_000 };

interface Sketch {
  readonly op: string;
  readonly size: string;
  readonly network: string;
  readonly gflop: number;
  readonly megabytes: number;
  /** Of the ceiling. */
  readonly reached: number;
  readonly count?: number;
  readonly peer?: number;
  readonly cut?: string;
  readonly design?: string;
}

function row(sketch: Sketch): KernelRow {
  const { op, size, network, gflop, megabytes, reached, count = 1, peer, cut, design } = sketch;
  const variant = `f16 [${size}]`;
  const flops = 1e9 * gflop;
  const bytes = 1e6 * megabytes;
  const compute = flops / ceilings.matrixGflops / 1e6;
  const memory = bytes / ceilings.copyGBs / 1e6;
  const median = Math.max(compute, memory) / reached;
  const spread = { p10: 0.96 * median, median, p90: 1.07 * median, runs: 20 };
  return {
    id: `${op} ${variant}`,
    op,
    variant,
    size,
    network,
    count,
    milliseconds: spread,
    flops,
    bytes,
    gflops: flops / median / 1e6,
    gbytes: bytes / median / 1e6,
    bound: compute > memory ? 'compute' : 'memory',
    ofCeiling: reached,
    ...(design !== undefined && { design }),
    ...(cut !== undefined && { cut }),
    ...(peer !== undefined && {
      peer: {
        name: 'fixture-runtime 1.0.0 webgpu',
        dtype: 'f32',
        milliseconds: {
          p10: 0.9 * peer * median,
          median: peer * median,
          p90: 1.2 * peer * median,
          runs: 10,
        },
        difference: 3e-6,
      },
    }),
  };
}

const SKETCHES: readonly Sketch[] = [
  {
    op: 'conv2d',
    size: '512x512x128',
    network: 'vae.decoder',
    gflop: 77,
    megabytes: 134,
    reached: 0.46,
    count: 5,
    peer: 6.1,
    design: 'matrix-128',
  },
  {
    op: 'conv2d',
    size: '256x256x256',
    network: 'vae.decoder',
    gflop: 77,
    megabytes: 68,
    reached: 0.51,
    count: 5,
    peer: 5.2,
    design: 'matrix-128',
  },
  {
    op: 'conv2d',
    size: '128x128x512',
    network: 'vae.decoder',
    gflop: 77,
    megabytes: 38,
    reached: 0.55,
    count: 6,
    peer: 4.4,
  },
  {
    op: 'conv2d',
    size: '8x8x1280',
    network: 'unet',
    gflop: 1.9,
    megabytes: 29.8,
    reached: 0.3,
    count: 9,
    peer: 2.3,
    design: 'split-k',
  },
  {
    op: 'conv2d',
    size: '512x512x3',
    network: 'vae.decoder',
    gflop: 1.8,
    megabytes: 69,
    reached: 0.62,
  },
  {
    op: 'upsampleConv2d',
    size: '512x512x256',
    network: 'vae.decoder',
    gflop: 137,
    megabytes: 170,
    reached: 0.44,
    peer: 8,
  },
  {
    op: 'upsampleConv2d',
    size: '256x256x512',
    network: 'vae.decoder',
    gflop: 137,
    megabytes: 104,
    reached: 0.41,
    peer: 7.5,
  },
  {
    op: 'attention',
    size: '16384x16384x64',
    network: 'noise_predictor',
    gflop: 275,
    megabytes: 33.6,
    reached: 0.27,
    count: 3,
    peer: 11,
    design: 'flash-matrix',
  },
  {
    op: 'attention',
    size: '4096x4096x64',
    network: 'unet',
    gflop: 21.5,
    megabytes: 10.5,
    reached: 0.24,
    count: 5,
    peer: 9,
  },
  {
    op: 'attention',
    size: '4096x77x64',
    network: 'unet',
    gflop: 0.4,
    megabytes: 5.4,
    reached: 0.35,
    count: 5,
    peer: 1.4,
  },
  {
    op: 'linear',
    size: '4096x2560x320',
    network: 'unet',
    gflop: 6.7,
    megabytes: 25,
    reached: 0.38,
    count: 5,
    peer: 3.1,
  },
  {
    op: 'linear',
    size: '1024x640x640',
    network: 'unet',
    gflop: 0.84,
    megabytes: 3.4,
    reached: 0.21,
    count: 15,
    peer: 0.92,
  },
  {
    op: 'linear',
    size: '64x1280x1280',
    network: 'unet',
    gflop: 0.21,
    megabytes: 3.6,
    reached: 0.33,
    count: 8,
    peer: 1.8,
    cut: 'rows 64 of 256',
  },
  {
    op: 'groupNormApply',
    size: '512x512x128',
    network: 'vae.decoder',
    gflop: 0.13,
    megabytes: 134,
    reached: 0.88,
    count: 5,
    peer: 2,
  },
  {
    op: 'groupNormPartial',
    size: '512x512x128',
    network: 'vae.encoder',
    gflop: 0.1,
    megabytes: 67,
    reached: 0.81,
    count: 9,
  },
  {
    op: 'layerNorm',
    size: '4096x320',
    network: 'unet',
    gflop: 0.01,
    megabytes: 5.2,
    reached: 0.74,
    count: 15,
    peer: 2.2,
  },
  {
    op: 'geglu',
    size: '4096x1280',
    network: 'unet',
    gflop: 0.08,
    megabytes: 31,
    reached: 0.69,
    count: 5,
  },
  {
    op: 'concat',
    size: '64x64x960',
    network: 'unet',
    gflop: 0,
    megabytes: 15.7,
    reached: 0.79,
    count: 3,
  },
  { op: 'crop', size: '128x128x4', network: 'other', gflop: 0, megabytes: 0.3, reached: 0.4 },
];

export const kernelRecord: KernelRecord = {
  bench: 'kernels',
  machine,
  target: withMatrix(NVIDIA),
  precision: 'f16',
  clock: { kind: 'timestamps', quantumNanoseconds: 0 },
  ceilings,
  rows: SKETCHES.map(row),
  skipped: [{ id: 'conv2d f16 [1024x1024x128]', why: 'the device has no room for it' }],
};
