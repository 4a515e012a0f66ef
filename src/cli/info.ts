/** `invsr info`: adapters, and what each would be used for. */
import { Command } from 'commander';
import { nameOf } from '../engine/device.ts';
import { listAdapters } from '../engine/node-device.ts';
import { VERSION } from '../version.ts';
import type { CommandContext } from './upscale.ts';

export function infoCommand({ reporter }: CommandContext): Command {
  return new Command('info')
    .description('list adapters, their features and limits, and the kernel family each would get')
    .option('--json', 'one JSON object on stdout')
    .action(async () => {
      const adapters = await listAdapters();
      const lines = adapters.flatMap((adapter, i) => [
        ...(i > 0 ? [''] : []),
        nameOf(adapter),
        `  vendor       ${adapter.vendor}, ${adapter.architecture || 'architecture unknown'}${adapter.isSoftware ? ' (software)' : ''}`,
        `  kernels      ${adapter.family}, ${adapter.shaderF16 ? 'f16 and f32' : 'f32 (no shader-f16)'}, subgroups of ${adapter.subgroupMinSize} to ${adapter.subgroupMaxSize}`,
        `  features     ${adapter.features.join(' ')}`,
        ...Object.entries(adapter.limits).map(([name, value]) => `  ${name}  ${value}`),
      ]);
      reporter.result(
        { version: VERSION, node: process.version, adapters },
        lines.length > 0 ? lines : ['no adapter found'],
      );
    });
}
