/** `invsr info`: adapters, and what each would be used for; --plan: info-plan.ts. */
import { Command } from 'commander';
import { type Capabilities, nameOf } from '../engine/device.ts';
import { NO_ADAPTER_REMEDY } from '../engine/node-adapters.ts';
import { type ListedAdapter, listAdapters } from '../engine/node-device.ts';
import { VERSION } from '../version.ts';
import { originOf } from './context.ts';
import { type PlanFlags, printPlans } from './info-plan.ts';
import { choice, tileSize } from './options.ts';
import { type DesignStore, openDesigns } from './tuned-designs.ts';
import type { CommandContext } from './progress.ts';

const EXAMPLES = `
Examples:
  invsr info
  invsr info --json
  invsr info --plan --model sd-turbo --adapter llvmpipe
  invsr upscale in.png -o out.png --adapter llvmpipe    part of a name is enough`;

export function infoCommand(work: CommandContext): Command {
  const { reporter } = work;
  return new Command('info')
    .description('List adapters, their features and limits, and the kernels each would get.')
    .option('--plan', 'instead: what upscale would run, dispatch by dispatch, with the flags below')
    .option('--model <name|dir>', 'as for upscale', 'invsr-nano')
    .option('--adapter <name>', 'as for upscale', 'auto')
    .option('--tile <pixels>', 'as for upscale', tileSize, 128)
    .addOption(choice('--precision <kind>', 'as for upscale', ['auto', 'f16', 'f32'], 'auto'))
    .option('--json', 'one JSON object on stdout')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: PlanFlags & { readonly plan?: boolean }) => {
      if (flags.plan) return printPlans(flags, work);
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

/** `f16 16x16x16 → f32: used`, and so on: a row for each kind that the adapter lists. */
function matrixRows({ matrices }: ListedAdapter): [string, string][] {
  if (matrices.length === 0) return [['matrices', 'none']];
  return matrices.map(({ componentType, resultComponentType, m, n, k, used, why }, i) => [
    i === 0 ? 'matrices' : '',
    `${componentType} ${m}x${n}x${k} → ${resultComponentType}: ${used ? `used, subgroups of ${used.subgroupSize}` : why}`,
  ]);
}

/** What is in effect, for programs. */
const designsOf = ({ table, file, problem }: DesignStore) => ({
  file,
  ...(table && { measuredAt: table.measuredAt, tuned: table.designs }),
  ...(problem !== undefined && { problem }),
});

function describe(adapter: ListedAdapter, store: DesignStore | undefined): string[] {
  const { vendor, architecture, family, features, limits, isSoftware, shaderF16 } = adapter;
  const { subgroupMinSize: least, subgroupMaxSize: most } = adapter;
  const rows: [string, string][] = [
    ['vendor', [vendor, architecture].filter(Boolean).join(', ') || 'unknown'],
    ['runs on', isSoftware ? 'the CPU (software)' : 'the GPU'],
    ['kernels', family],
    ['precision', shaderF16 ? 'f16 (f32 on request)' : 'f32 (no shader-f16)'],
    ['subgroups', least === most ? `${least}` : `${least} to ${most}`],
    ...matrixRows(adapter),
    ...(store ? [['designs', store.problem ?? originOf(store)] satisfies [string, string]] : []),
    ['features', features.join(' ')],
    ...Object.entries(limits).map(([name, value]): [string, string] => [name, `${value}`]),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return [nameOf(adapter), ...rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`)];
}
