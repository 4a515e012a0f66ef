/** `invsr tune`: measures which designs of the kernels are the fastest here, and keeps the table. */
import { Command } from 'commander';
import type { EngineContext } from '../engine/context.ts';
import { nameOf } from '../engine/device.ts';
import { createDevice, type NodeDevice } from '../engine/node-device.ts';
import { type Model, openModel } from '../invsr/model.ts';
import type { ModelFacts } from '../invsr/tile-graph.ts';
import type { Subject } from '../tune/subjects.ts';
import { modelSubjects, tune, type TuneModelOptions } from '../tune/tune-model.ts';
import type { ClassResult, DesignResult, TuneResult } from '../tune/tune.ts';
import { openContext } from './context.ts';
import { modelFolder } from './models.ts';
import { choice, number, tileSize } from './options.ts';
import type { CommandContext, Reporter } from './progress.ts';
import type { DesignStore } from './tuned-designs.ts';

interface TuneFlags {
  readonly model: string;
  readonly tile: number;
  readonly precision: 'auto' | 'f16' | 'f32';
  readonly adapter: string;
  readonly minutes: number;
  readonly dryRun?: boolean;
  readonly reset?: boolean;
}

const EXAMPLES = `
Examples:
  invsr tune                                 for the embedded model
  invsr tune --model sd-turbo --minutes 10
  invsr tune --dry-run                       what would be measured
  invsr tune --reset                         anew, after other work slowed the machine down`;

export function tuneCommand(context: CommandContext): Command {
  return new Command('tune')
    .description(
      'Measure which designs of the kernels are the fastest on this adapter. Every later run uses them; what is known already is not measured again.',
    )
    .option('--model <name|dir>', 'as for upscale', 'invsr-nano')
    .option('--tile <pixels>', 'tile side in input pixels', tileSize, 128)
    .addOption(
      choice('--precision <kind>', 'storage of activations', ['auto', 'f16', 'f32'], 'auto'),
    )
    .option('--adapter <name>', 'as for upscale', 'auto')
    .option('--minutes <n>', 'time to take at most; a further run goes on', number(0.01, 600), 5)
    .option('--dry-run', 'list what would be measured')
    .option('--reset', 'forget what is known on this adapter')
    .option('--json', 'one JSON object on stdout')
    .addHelpText('after', EXAMPLES)
    .action((flags: TuneFlags) => tuneFor(flags, context));
}

async function tuneFor(flags: TuneFlags, work: CommandContext): Promise<void> {
  const model = await openModel(await modelFolder(flags.model));
  try {
    const made = await createDevice({ adapter: flags.adapter });
    try {
      await tuneOn(made, model, flags, work);
    } finally {
      await made.device.queue.onSubmittedWorkDone().catch(() => {}); // see session.ts
      made.device.destroy();
    }
  } finally {
    await model.close();
  }
}

async function tuneOn(
  made: NodeDevice,
  model: Model,
  flags: TuneFlags,
  { reporter, signal }: CommandContext,
): Promise<void> {
  const { reset, dryRun, minutes, precision, tile } = flags;
  const { capabilities } = made;
  // Without what is known: the guess comes first, and shares are of its time.
  const opened = await openContext(made, { tuned: false, forget: reset === true });
  const { context, store } = opened;
  for (const line of opened.notes) reporter.note(line);
  const adapter = nameOf(capabilities);
  const what = { tile, ...(precision !== 'auto' && { precision }) };
  const known = store.table?.designs ?? {};
  try {
    const subjects = modelSubjects(context, model, what);
    if (dryRun) return plan(subjects, store, { adapter, reporter });
    const result = await tuneAndKeep(context, model, { ...what, minutes, signal, store, reporter });
    const { file } = store;
    reporter.result({ tune: result.ended, adapter, file, ...result }, [
      adapter,
      ...summaryOf(result, Object.keys(known).length),
    ]);
    if (result.ended === 'lost') {
      throw new Error(`${result.reason}; what was found before is kept`);
    }
  } finally {
    context.dispose();
  }
}

interface KeepOptions extends Omit<TuneModelOptions, 'known' | 'onClass'> {
  readonly store: DesignStore;
  readonly reporter: Reporter;
  /** Instead of `tune`. */
  readonly run?: typeof tune;
}

/** What is known is not measured again; what is found is kept, after an interruption too. */
export async function tuneAndKeep(
  context: EngineContext,
  model: ModelFacts,
  { store, reporter, run = tune, ...options }: KeepOptions,
): Promise<TuneResult> {
  const found: ClassResult[] = [];
  try {
    return await run(context, model, {
      ...options,
      known: store.table?.designs,
      onClass: (one, { done, total }) => {
        found.push(one);
        reporter.note(`${done} of ${total}  ${lineOf(one)}`);
      },
    });
  } finally {
    if (found.length > 0) await store.save(found, (line) => reporter.note(line));
  }
}

function plan(
  subjects: readonly Subject[],
  { table, file }: DesignStore,
  { adapter, reporter }: { readonly adapter: string; readonly reporter: Reporter },
): void {
  const known = table?.designs ?? {};
  const classes = subjects.map(({ key, candidates, path, count, flops }) => {
    const tuned = known[key];
    return { key, candidates, path, count, flops, ...(tuned !== undefined && { tuned }) };
  });
  const missing = classes.filter(({ tuned }) => tuned === undefined).length;
  reporter.result({ tune: 'dry run', adapter, file, classes }, [
    adapter,
    ...classes.map(
      ({ key, candidates, tuned }) =>
        `  ${key}  ${tuned === undefined ? candidates.join(' or ') : `${tuned} (known)`}`,
    ),
    `${missing} of ${classes.length} classes of sizes would be measured`,
  ]);
}

/** `conv …  4x4, 12 % faster than 2x4 (0.31 ms of 0.35 ms)`, and what was refused. */
function lineOf({ key, chosen, first, share, designs }: ClassResult): string {
  const refused = designs.flatMap((one) =>
    'refused' in one ? [`${one.design} refused: ${sentenceOf(one)}`] : [],
  );
  const times = new Map(
    designs.flatMap((one) => ('refused' in one ? [] : [[one.design, one.milliseconds] as const])),
  );
  const [now, before] = [times.get(chosen), times.get(first)];
  const gain =
    chosen === first
      ? `${chosen} stays`
      : now === undefined || before === undefined
        ? `${chosen} in place of ${first}`
        : `${chosen} takes ${Math.round(100 * share)} % of ${first}'s ${before.toPrecision(3)} ms`;
  return [`${key}  ${gain}`, ...refused].join('; ');
}

/** The first line: a compiler's message has an excerpt below it. */
const sentenceOf = ({ refused }: Extract<DesignResult, { refused: string }>): string =>
  refused.split('\n')[0] ?? refused;

function summaryOf({ classes, left, ended, reason }: TuneResult, known: number): string[] {
  const won = classes.filter(({ chosen, first }) => chosen !== first);
  return [
    ...won.map((one) => `  ${lineOf(one)}`),
    `${classes.length} classes of sizes measured, ${won.length} with another design than the guess; ${known} were known`,
    ...(ended === 'budget' ? [`${reason}: ${left.length} classes are left for a further run`] : []),
  ];
}
