/**
 * `invsr weights pull NAME`: what would be fetched, from where, under which licences; one question;
 * the transfer. `--from DIR` imports instead (weights-import.ts).
 */
import { isAbsolute, relative, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { createClient, type HubClient } from '../weights/hub/client.ts';
import { HubError } from '../weights/hub/error.ts';
import { findLocal } from '../weights/hub/local.ts';
import { HUB_MODELS, type HubModel } from '../weights/hub/models.ts';
import { cachePlace, folderPlace } from '../weights/hub/place.ts';
import { planPull, pull } from '../weights/hub/pull.ts';
import { type HubSettings, readSettings } from '../weights/hub/settings.ts';
import { agreed } from './ask.ts';
import { InputError, interruptible } from './errors.ts';
import { humanBytes } from './transfer-progress.ts';
import type { CommandContext } from './progress.ts';
import { importModel } from './weights-import.ts';
import { summaryOf, tableOf } from './weights-table.ts';

interface PullFlags {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly to?: string;
  readonly from?: string;
  readonly link?: boolean;
  readonly revision?: readonly string[];
}

const EXAMPLES = `
Examples:
  invsr weights pull sd-turbo                 shows what it is, asks, fetches
  invsr weights pull sd-turbo --dry-run       only shows
  invsr weights pull sd-turbo --to models/sd-turbo --yes
  invsr weights pull sd-turbo --from /media/stick/sd-turbo

Files go to the cache that Python's huggingface_hub uses, and what it has fetched is not fetched
again. HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE, HTTPS_PROXY and NO_PROXY apply.`;

/** Below this many bytes a check takes no time that one notices. */
const WORTH_A_LINE = 100e6;

export function pullCommand(context: CommandContext): Command {
  return new Command('pull')
    .description('Fetch a model, or import it from a folder.')
    .argument('<model>', HUB_MODELS.map((m) => m.name).join(', '))
    .option('-y, --yes', 'accept the licences and start without a question')
    .option('--dry-run', 'show what would be fetched, fetch nothing')
    .option('--to <dir>', 'a folder of its own instead of the cache; then --model <dir>')
    .option('--from <dir>', 'import from a folder, without a network')
    .option('--link', 'with --from: symbolic links instead of copies')
    .option(
      '--revision <rev>',
      'branch, tag or commit of the first repository, or owner/name=rev; may be repeated',
      collect,
    )
    .option('--json', 'one JSON object per line on stdout: progress, result, error')
    .addHelpText('after', EXAMPLES)
    .action((name: string, flags: PullFlags) =>
      interruptible(
        context.signal,
        () => 'nothing was fetched',
        () => run(modelOf(name), flags, context),
      ),
    );
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  // It becomes a part of addresses and of paths in the cache.
  if (!/^(?:[\w.-]+\/[\w.-]+=)?[\w.-]+(?:\/[\w.-]+)*$/.test(value) || value.includes('..')) {
    throw new InvalidArgumentError('expected a branch, tag or commit, or owner/name=rev.');
  }
  return [...before, value];
}

/** InputError where there is no such model. */
export function modelOf(name: string): HubModel {
  const model = HUB_MODELS.find((m) => m.name === name);
  if (model) return model;
  throw new InputError(
    `${name} is no model that can be fetched; expected ${HUB_MODELS.map((m) => m.name).join(', ')}`,
  );
}

async function run(model: HubModel, flags: PullFlags, context: CommandContext): Promise<void> {
  const settings = await readSettings();
  const { from, to } = flags;
  if (flags.link === true && from === undefined) {
    throw new InputError('--link goes with --from: only what is on this machine can be linked');
  }
  if (from !== undefined) {
    const { link: isLink = false, dryRun: isDryRun = false } = flags;
    if (flags.revision) throw new InputError('--from takes what the folder has: no --revision');
    await importModel(model, { from, to, isLink, isDryRun }, settings, context);
    return;
  }
  if (settings.isOffline) {
    await expectThere(model, settings, context, 'HF_HUB_OFFLINE is set');
    return;
  }
  const client = createClient(settings);
  try {
    await fetchModel(model, flags, { settings, client, ...context });
  } finally {
    await client.close();
  }
}

interface Work extends CommandContext {
  readonly settings: HubSettings;
  readonly client: HubClient;
}

async function fetchModel(model: HubModel, flags: PullFlags, work: Work): Promise<void> {
  const { settings, client, reporter, signal } = work;
  const { to, dryRun: isDryRun = false, yes = false } = flags;
  const place =
    to === undefined ? cachePlace(settings, model) : folderPlace(resolve(to), settings, model);
  const revisions = revisionsOf(model, flags.revision ?? []);
  const asked = planPull(model, {
    client,
    place,
    revisions,
    signal,
    onCheck: ({ target, remote: { size } }) => {
      if (size >= WORTH_A_LINE) reporter.note(`checking ${target} (${humanBytes(size)})`);
    },
  });
  const plan = await asked.catch(async (error: unknown) => {
    // Complete as it is, a model needs no hub.
    if (!(error instanceof HubError) || to !== undefined || revisions.size > 0) throw error;
    const local = await findLocal(model, settings);
    if (local.missing.length > 0) throw error;
    reporter.note(`the hub cannot be asked for a newer version: ${error.message}`);
    return undefined;
  });
  if (plan === undefined) {
    await expectThere(model, settings, work, 'no hub');
    return;
  }
  for (const line of tableOf(model, plan, place.folder, settings.endpoint)) reporter.note(line);

  const { missingBytes, writtenBytes, freeBytes } = plan;
  if (freeBytes !== undefined && writtenBytes > freeBytes) {
    throw new HubError(
      `${place.folder} has ${humanBytes(freeBytes)} free, ${humanBytes(writtenBytes)} are needed; make room, or choose another place with --to or HF_HOME`,
    );
  }
  const summary = summaryOf(model, plan, place.folder);
  if (isDryRun) {
    reporter.result({ ...summary, dryRun: true }, []);
    return;
  }
  if (missingBytes > 0) {
    const text = `Fetch ${humanBytes(missingBytes)} and accept the licences`;
    const consent = 'to accept the licences and start';
    if (!(await agreed({ text, consent, yes, signal }))) {
      throw new HubError('not agreed; nothing was fetched');
    }
  }
  let done = 0;
  const kept = (): string =>
    `${humanBytes(Math.max(0, done))} of ${humanBytes(plan.bytes)} are kept, the same command continues there`;
  const onProgress = (bytes: number): void => {
    done = bytes;
    if (missingBytes === 0) return;
    reporter.transfer({ stage: 'download', doneBytes: bytes, totalBytes: plan.bytes });
    if (bytes === plan.bytes) reporter.note('all bytes are here; checking their checksums');
  };
  await interruptible(signal, kept, () => pull(plan, { client, place, signal, onProgress }));
  const use = to === undefined ? model.name : shown(to);
  reporter.result(summary, [
    `${model.name} is complete in ${place.folder}`,
    `use it: invsr upscale photo.jpg -o large.png --model ${use}`,
  ]);
}

/** `--revision REV` is the first repository's. */
function revisionsOf(model: HubModel, given: readonly string[]): ReadonlyMap<string, string> {
  const [first] = model.sources;
  return new Map(
    given.map((text) => {
      const [repo, revision] = text.includes('=') ? text.split('=') : [first?.repo, text];
      if (repo === undefined || !model.sources.some((source) => source.repo === repo)) {
        const known = model.sources.map((source) => source.repo).join(', ');
        throw new InputError(`--revision ${text}: ${model.name} has ${known}`);
      }
      return [repo, revision ?? 'main'];
    }),
  );
}

/** Without a network: fine where nothing is missing. */
async function expectThere(
  model: HubModel,
  settings: HubSettings,
  { reporter }: CommandContext,
  why: string,
): Promise<void> {
  const local = await findLocal(model, settings);
  if (local.missing.length > 0) {
    throw new InputError(
      `${model.name}: ${why}, and ${local.missing.join(', ')} are not in ${settings.cache}; unset it, or import with --from DIR`,
    );
  }
  reporter.result({ model: model.name, where: local.where, complete: true }, [
    `${model.name} is complete (${why}, so the hub was not asked)`,
  ]);
}

/** The shorter of the absolute path and the one from here. */
function shown(folder: string): string {
  const from = relative(process.cwd(), resolve(folder));
  return from === '' || isAbsolute(from) || from.startsWith('..') ? resolve(folder) : from;
}
