/** `invsr upscale`: files in, files out. The flags are in upscale-flags.ts. */
import { dirname } from 'node:path';
import type { EngineContext } from '../engine/context.ts';
import { checkModel } from '../invsr/check-model.ts';
import { type Model, openModel, type Tensors } from '../invsr/model.ts';
import type { PrecisionWarning } from '../invsr/stage-precision.ts';
import { SCALE } from '../invsr/tile-graph.ts';
import { readTensors } from '../weights/tensor-reads.ts';
import { fileSource } from '../weights/node-file.ts';
import { describe, InputError, isPictureError } from './errors.ts';
import { expectExtension, expectWritableFolder, type Job, planJobs } from './inputs.ts';
import { holds16Bits } from './image-output.ts';
import { modelPlace } from './models.ts';
import { MAX_STEPS } from './options.ts';
import type { CommandContext, Reporter } from './progress.ts';
import { findPrompts } from './prompts.ts';
import { openSession, type Session } from './session.ts';
import { type UpscaleFlags, upscaleSettings } from './upscale-flags.ts';
import { isWhole, upscalePicture, type Work } from './upscale-picture.ts';

/**
 * Everything is checked that can be without a device. Then picture by picture: a broken one is
 * reported and the others are done; any other failure ends the run.
 */
export async function upscale(
  inputs: readonly string[],
  flags: UpscaleFlags,
  { reporter, signal }: CommandContext,
): Promise<void> {
  const jobs = await planJobs(inputs, flags.output);
  await checkExtraFiles(flags, jobs);
  checkDepthAndScale(flags, jobs);
  const noise =
    flags.noise === undefined
      ? undefined
      : await readTensors(await fileSource(flags.noise), signal);
  const options = {
    ...upscaleSettings(flags),
    onWarning: ({ message, ...facts }: PrecisionWarning) => reporter.warning(message, facts),
  };
  const { folder, notes } = await modelPlace(flags.model);
  const work: Work = { flags, noise, folder, reporter, signal };
  const prompts = await findPrompts(folder, flags, { reporter, signal, notes, given: noise });
  let model: Model | undefined;
  let session: Session | undefined;
  let failed = 0;
  try {
    model = await openModel(folder, overrides(prompts?.known));
    warnOfSteps(options.timesteps.length, reporter);
    checkModel(model, options);
    for (const job of jobs) {
      try {
        const opened = model;
        await upscalePicture(job, work, async () => (session ??= await open(opened)));
      } catch (error) {
        if (jobs.length === 1 || !isPictureError(error)) throw error;
        failed++;
        reporter.error(describe(error), job.input);
      }
    }
    if (flags.tune && session) await tuneAfterwards(session, work);
  } finally {
    await session?.close();
    await model?.close();
    await prompts?.close();
  }
  if (failed > 0) {
    throw new InputError(`${failed} of ${jobs.length} images could not be upscaled, see above`);
  }

  /** What replaces the model's own prompts. */
  function overrides(states: Tensors = new Map()): Tensors {
    return new Map([...(noise ?? []), ...states]);
  }

  /** The model with its prompts; the text encoder runs where their states are not known yet. */
  async function complete(context: EngineContext, opened: Model): Promise<Model> {
    if (!prompts || prompts.missing === 0) return opened;
    reporter.note('encoding the prompt, once for this model');
    const states = await prompts.states(context, { signal });
    await opened.close();
    return (model = await openModel(folder, overrides(states)));
  }

  async function open(opened: Model): Promise<Session> {
    const prepare = async (context: EngineContext): Promise<Model> => complete(context, opened);
    const made = await openSession(prepare, options, flags);
    for (const note of made.notes) reporter.note(note);
    return made;
  }
}

/** The images are written: whatever goes wrong now is no failure of theirs. */
async function tuneAfterwards(session: Session, work: CommandContext): Promise<void> {
  const { reporter, signal } = work;
  reporter.note('tuning for later runs, for two minutes at most; Ctrl-C ends it');
  try {
    const { classes, left } = await session.tune(work);
    const rest = left.length > 0 ? `, ${left.length} are left` : '';
    reporter.note(`${classes.length} classes of sizes tuned${rest}`);
  } catch (error) {
    if (signal.aborted) return;
    reporter.warning(`tuning ended: ${describe(error)}`, {});
  }
}

function warnOfSteps(steps: number, reporter: Reporter): void {
  if (steps <= MAX_STEPS) return;
  const message = `--timesteps has ${steps} steps; the official code has at most ${MAX_STEPS}`;
  reporter.warning(message, { steps });
}

/** --dump and --before-after: one picture, a place to write, a format that fits. */
async function checkExtraFiles(flags: UpscaleFlags, jobs: readonly Job[]): Promise<void> {
  const extras = [
    ['--dump', flags.dump, '.safetensors'],
    ['--before-after', flags.beforeAfter, '.png'],
  ] as const;
  for (const [flag, file, extension] of extras) {
    if (file === undefined) continue;
    if (jobs.length > 1) {
      throw new InputError(
        `${flag} takes one input image, got ${jobs.length}; run it for each image on its own`,
      );
    }
    expectExtension(flag, file, [extension]);
    await expectWritableFolder(dirname(file));
  }
}

function checkDepthAndScale(flags: UpscaleFlags, jobs: readonly Job[]): void {
  const { scale, depth } = flags;
  if (isWhole(flags) && (scale !== SCALE || depth === 16)) {
    const given = depth === 16 ? '--depth 16' : `--scale ${scale}`;
    throw new InputError(
      `${given} does not go with --official, --noise and --dump, which are x4 in 8 bits as the official code; leave one of them out`,
    );
  }
  const shallow = depth === 16 ? jobs.find(({ output }) => !holds16Bits(output)) : undefined;
  if (shallow) {
    throw new InputError(
      `--depth 16: ${shallow.output} holds 8 bits per channel; write a .png or .tif`,
    );
  }
}
