/** `invsr info`: adapters, and what each would be used for. */
import { Command } from 'commander';
import { type Capabilities, nameOf } from '../engine/device.ts';
import { listAdapters, NO_ADAPTER_REMEDY } from '../engine/node-device.ts';
import { VERSION } from '../version.ts';
import { originOf } from './context.ts';
import { type DesignStore, openDesigns } from './tuned-designs.ts';
import type { CommandContext } from './upscale.ts';

const EXAMPLES = `
Examples:
  invsr info
  invsr info --json
  invsr upscale in.png -o out.png --adapter llvmpipe    part of a name is enough`;

export function infoCommand({ reporter }: Pick<CommandContext, 'reporter'>): Command {
  return new Command('info')
    .description('List adapters, their features and limits, and the kernels each would get.')
    .option('--json', 'one JSON object on stdout')
    .addHelpText('after', EXAMPLES)
    .action(async () => {
      const adapters = await listAdapters();
      const stores = await Promise.all(adapters.map((adapter) => openDesigns(adapter)));
      reporter.result(
        {
          version: VERSION,
          node: process.version,
          adapters: adapters.map((adapter, i) => ({
            name: nameOf(adapter),
            precision: precisionOf(adapter),
            designs: stores[i] && designsOf(stores[i]),
            ...adapter,
          })),
        },
        adapters.length > 0
          ? adapters.flatMap((adapter, i) => [
              ...(i > 0 ? [''] : []),
              ...describe(adapter, stores[i]),
            ])
          : [`no adapter found. ${NO_ADAPTER_REMEDY}`],
      );
    });
}

/** What `--precision auto` is on it. */
const precisionOf = ({ shaderF16 }: Capabilities): 'f16' | 'f32' => (shaderF16 ? 'f16' : 'f32');

/** `f16 16x16x16 → f32`, and so on: what the adapter lists, checked before use. */
const matrixText = ({ matrixConfigs }: Capabilities): string =>
  matrixConfigs
    .map(
      ({ componentType, resultComponentType, m, n, k }) =>
        `${componentType} ${m}x${n}x${k} → ${resultComponentType}`,
    )
    .join(', ') || 'none';

/** What is in effect, for programs. */
const designsOf = ({ table, file, problem }: DesignStore) => ({
  file,
  ...(table && { measuredAt: table.measuredAt, tuned: table.designs }),
  ...(problem !== undefined && { problem }),
});

function describe(adapter: Capabilities, store: DesignStore | undefined): string[] {
  const { vendor, architecture, family, features, limits, isSoftware, shaderF16 } = adapter;
  const { subgroupMinSize: least, subgroupMaxSize: most } = adapter;
  const rows: [string, string][] = [
    ['vendor', [vendor, architecture].filter(Boolean).join(', ') || 'unknown'],
    ['runs on', isSoftware ? 'the CPU (software)' : 'the GPU'],
    ['kernels', family],
    ['precision', shaderF16 ? 'f16 (f32 on request)' : 'f32 (no shader-f16)'],
    ['subgroups', least === most ? `${least}` : `${least} to ${most}`],
    ['matrices', matrixText(adapter)],
    ...(store ? [['designs', store.problem ?? originOf(store)] satisfies [string, string]] : []),
    ['features', features.join(' ')],
    ...Object.entries(limits).map(([name, value]): [string, string] => [name, `${value}`]),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return [nameOf(adapter), ...rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`)];
}
