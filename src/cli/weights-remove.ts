/** `invsr weights remove`: deletes what belongs to a model and to nobody else. */
import { Command } from 'commander';
import { HubError } from '../weights/hub/error.ts';
import { HUB_MODELS } from '../weights/hub/models.ts';
import { planRemoval, remove } from '../weights/hub/remove.ts';
import { readSettings } from '../weights/hub/settings.ts';
import { agreed } from './ask.ts';
import { InputError, interruptible } from './errors.ts';
import { humanBytes } from './transfer-progress.ts';
import type { CommandContext } from './progress.ts';
import { modelOf } from './weights-pull.ts';

interface RemoveFlags {
  readonly yes?: boolean;
  readonly all?: boolean;
  readonly dryRun?: boolean;
}

export function removeCommand(context: CommandContext): Command {
  return new Command('remove')
    .description('Delete a model that pull fetched or imported.')
    .argument('<model>', HUB_MODELS.map((m) => m.name).join(', '))
    .option('-y, --yes', 'without a question')
    .option('--all', 'also the files of it that Python fetched')
    .option('--dry-run', 'show what would be deleted')
    .option('--json', 'one JSON object on stdout')
    .action((name: string, flags: RemoveFlags) =>
      interruptible(
        context.signal,
        () => 'nothing was deleted',
        () => run(name, flags, context),
      ),
    );
}

async function run(
  name: string,
  { yes = false, all: isAll = false, dryRun: isDryRun = false }: RemoveFlags,
  { reporter, signal }: CommandContext,
): Promise<void> {
  const model = modelOf(name);
  const settings = await readSettings();
  const removal = await planRemoval(model, settings, { isAll });
  const { files, partials, folder, kept, bytes } = removal;
  const others = `${kept.length} files that another program fetched (--all takes them too)`;
  if (files.length === 0 && partials.length === 0 && folder === undefined) {
    throw new InputError(
      `${name}: nothing to remove${kept.length > 0 ? ` but ${others}` : ' in ' + settings.cache}`,
    );
  }
  for (const { repo, path } of files) reporter.note(`  ${repo}/${path}`);
  for (const partial of partials) reporter.note(`  ${partial}`);
  if (folder !== undefined) reporter.note(`  ${folder}`);
  if (kept.length > 0) reporter.note(`kept: ${others}`);
  const summary = { model: name, bytes, files, partials, folder: folder ?? null, kept };
  if (isDryRun) {
    reporter.result({ ...summary, dryRun: true }, []);
    return;
  }
  const text = `Delete these (${humanBytes(bytes)})`;
  if (!(await agreed({ text, consent: 'to delete them', yes, signal }))) {
    throw new HubError('not agreed; nothing was deleted');
  }
  await remove(model, settings, removal);
  reporter.result(summary, [`${name} is removed, ${humanBytes(bytes)}`]);
}
