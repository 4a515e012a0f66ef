/** `invsr bench kernels`: every kernel of a tile's path, one at a time, at the shapes it has there. */
import { Command } from 'commander';
import type { BenchCase } from '../../bench/cases.ts';
import type { KernelBenchOptions } from '../../bench/kernel-bench.ts';
import type { EngineContext } from '../engine/context.ts';
import type { Target } from '../engine/kernel.ts';
import {
  type BenchHost,
  type DeviceFlags,
  type OutputFlags,
  type ReportFlags,
  withDeviceFlags,
  withOutputFlags,
  withReportFlags,
} from './bench-output.ts';
import { byteSize, integer, number, tileSize } from './options.ts';
import type { CommandContext } from './progress.ts';

export interface KernelFlags extends DeviceFlags, OutputFlags, ReportFlags {
  readonly filter?: string;
  readonly shape?: string;
  readonly network?: string;
  readonly model: string | false;
  readonly tile: number;
  readonly samples: number;
  readonly seconds: number;
  readonly maxGflop?: number;
  /** Bytes. */
  readonly cache?: number;
  readonly list?: boolean;
}

/** What a clone adds to the installed command. */
export interface KernelHost extends BenchHost {
  /** Beside those of the models. */
  readonly cases?: (target: Target) => BenchCase[];
  /** Another engine's time of the same case. */
  readonly beside?: (context: EngineContext) => KernelBenchOptions['beside'];
}

const NETWORK_NAMES = 'noise_predictor, vae.encoder, unet, vae.decoder or other';

export function kernelsCommand(work: CommandContext, host: KernelHost): Command {
  const command = new Command('kernels')
    .description(
      'Time of every dispatch of one tile of InvSR-1, and of a model, by itself; no weights are needed.',
    )
    .option('--filter <text>', 'those whose op, shapes, size or network contain it')
    .option('--shape <sizes>', 'those of this size, such as 4096x512 (rows x columns x terms)')
    .option('--network <name>', `those of ${NETWORK_NAMES}`)
    .option('--model <name|dir>', 'the model beside InvSR-1', 'invsr-nano')
    .option('--no-model', 'InvSR-1 alone')
    .option('--tile <pixels>', 'tile side in input pixels', tileSize, 128)
    .option('--samples <n>', 'times taken of each', integer(5), 20)
    .option('--seconds <n>', 'watch none longer, but for five times', number(0.01, 3600), 3)
    .option(
      '--max-gflop <n>',
      'cut larger ones in rows (default: 2 on software adapters, else none)',
      number(0.001, 1e6),
    )
    .option(
      '--cache <size>',
      'inputs rotate over more than this, so that no cache holds them (default: 64MiB)',
      byteSize,
    )
    .option('--list', 'names what would be timed');
  return withReportFlags(withOutputFlags(withDeviceFlags(command))).action(
    async (flags: KernelFlags) => {
      const { kernels } = await import('./bench-kernels-run.ts');
      await kernels(flags, work, host);
    },
  );
}
