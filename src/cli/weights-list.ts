/** `invsr weights list`: the models known, where they are, what is missing. Asks no server. */
import { Command } from 'commander';
import { grouped } from '../weights/error.ts';
import { findLocal, type LocalModel } from '../weights/hub/local.ts';
import { HUB_MODELS } from '../weights/hub/models.ts';
import { readSettings } from '../weights/hub/settings.ts';
import { EMBEDDED, embeddedFolder } from './models.ts';
import { humanBytes } from './transfer-progress.ts';
import type { CommandContext } from './progress.ts';

export function listCommand({ reporter }: CommandContext): Command {
  return new Command('list')
    .description('List the models known: where they are, bytes, what is missing.')
    .option('--files', 'every file with its bytes')
    .option('--json', 'one JSON object on stdout')
    .action(async ({ files: isLong = false }: { readonly files?: boolean }) => {
      const settings = await readSettings();
      const models = await Promise.all(HUB_MODELS.map((model) => findLocal(model, settings)));
      reporter.result(
        {
          cache: settings.cache,
          models: [
            ...EMBEDDED.map((name) => ({ name, state: 'embedded', where: [embeddedFolder(name)] })),
            ...models.map((local) => ({
              name: local.model.name,
              state: stateOf(local),
              where: local.where,
              bytes: bytesOf(local),
              missing: local.missing,
              files: local.files.map(({ target, path, size }) => ({ file: target, path, size })),
            })),
          ],
        },
        [
          ...EMBEDDED.map((name) => `${name}  embedded  ${embeddedFolder(name)}`),
          ...models.flatMap((local) => linesOf(local, isLong)),
        ],
      );
    });
}

const bytesOf = ({ files }: LocalModel): number => files.reduce((sum, f) => sum + f.size, 0);

function stateOf({ files, missing }: LocalModel): 'complete' | 'incomplete' | 'absent' {
  if (missing.length === 0) return 'complete';
  return files.length > 0 ? 'incomplete' : 'absent';
}

function linesOf(local: LocalModel, isLong: boolean): string[] {
  const { model, files, missing, where } = local;
  const state = stateOf(local);
  const pull = `invsr weights pull ${model.name}`;
  if (state === 'absent') return [`${model.name}  not here; ${pull} fetches it`];
  const lines = [`${model.name}  ${state}  ${humanBytes(bytesOf(local))}`];
  for (const folder of where) lines.push(`  in ${folder}`);
  if (isLong) for (const f of files) lines.push(`  ${f.target}  ${grouped(f.size)}`);
  if (missing.length > 0) lines.push(`  missing: ${missing.join(', ')}; ${pull} fetches them`);
  return lines;
}
