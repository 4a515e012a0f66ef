/** `invsr upscale`: files in, files out. The flags are in upscale-flags.ts. */
import type { EngineContext } from '../engine/context.ts';
import { checkModel } from '../invsr/check-model.ts';
import { type Model, openModel, type Tensors } from '../invsr/model.ts';
import type { Dump } from '../invsr/parity.ts';
import type { PrecisionWarning } from '../invsr/stage-precision.ts';
import { SCALE } from '../invsr/tile-graph.ts';
import { readTensors } from '../weights/checkpoint.ts';
import { fileSource, nodeFolder } from '../weights/node-file.ts';
import { safetensorsParts, type TensorData } from '../weights/safetensors-write.ts';
import { describe, InputError, isPictureError } from './errors.ts';
import { type Picture, readPicture } from './image-file.ts';
import { expectStorable, resizeAlpha, writeBeforeAfter, writePicture } from './image-output.ts';
import { expectExtension, expectWritableFolder, type Job, planJobs } from './inputs.ts';
import { modelFolder } from './models.ts';
import { MAX_STEPS } from './options.ts';
import type { Reporter } from './progress.ts';
import { findPrompts, promptResult } from './prompts.ts';
import { openSession, type Session } from './session.ts';
import { type UpscaleFlags, upscalerOptions } from './upscale-flags.ts';
import { writeWhole } from './whole-file.ts';
import { dirname } from 'node:path';

export interface CommandContext {
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
}

/** What the pictures of one command line share. */
interface Work extends CommandContext {
  readonly flags: UpscaleFlags;
  readonly noise: Tensors | undefined;
}

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
  const noise =
    flags.noise === undefined
      ? undefined
      : await readTensors(await fileSource(flags.noise), signal);
  const work: Work = { flags, noise, reporter, signal };
  const options = {
    ...upscalerOptions(flags),
    onWarning: ({ message, ...facts }: PrecisionWarning) => reporter.warning(message, facts),
  };
  const folder = nodeFolder(await modelFolder(flags.model));
  const prompts = await findPrompts(folder, flags, { reporter, signal, given: noise });
  let model: Model | undefined;
  let session: Session | undefined;
  let failed = 0;
  try {
    model = await openModel(folder, overrides(prompts?.known));
    warnOfSteps(options.timesteps.length, reporter);
    checkModel(model, options);
    for (const job of jobs) {
      try {
        const started = performance.now();
        const picture = await readPicture(job.input);
        const { width, height } = picture;
        expectStorable(job.output, { width: width * SCALE, height: height * SCALE });
        signal.throwIfAborted();
        session ??= await open(model);
        await upscaleFile(session, { ...job, picture, started }, work);
      } catch (error) {
        if (jobs.length === 1 || !isPictureError(error)) throw error;
        failed++;
        reporter.error(describe(error), job.input);
      }
    }
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

async function upscaleFile(
  { upscaler, adapter }: Session,
  { picture, started, ...job }: Job & { readonly picture: Picture; readonly started: number },
  { flags, noise, reporter, signal }: Work,
): Promise<void> {
  const read = performance.now() - started;
  const dump: Dump | undefined = flags.dump === undefined ? undefined : new Map();
  const result = await upscaler.upscale(picture, {
    seed: flags.seed,
    noise,
    dump,
    signal,
    onProgress: (p) => reporter.progress(job.input, p),
  });
  signal.throwIfAborted();
  const { width, height, pixels } = result;
  const writing = performance.now();
  const alpha = picture.alpha && (await resizeAlpha(picture.alpha, picture, result));
  const output = { width, height, pixels, alpha };
  const extra: string[] = [];
  if (dump && flags.dump !== undefined) {
    await writeDump(flags.dump, dump);
    extra.push(`${flags.dump}  ${dump.size} tensors`);
  }
  if (flags.beforeAfter !== undefined) {
    await writeBeforeAfter(flags.beforeAfter, picture, output);
    extra.push(`${flags.beforeAfter}  before (bicubic) and after, side by side`);
  }
  await writePicture(job.output, output);

  const now = performance.now();
  const milliseconds = {
    read: Math.round(read),
    ...result.milliseconds,
    write: Math.round(now - writing),
    total: Math.round(now - started),
  };
  const { precision } = upscaler.options;
  const { peakGpuBytes } = upscaler;
  const seconds = (milliseconds.total / 1000).toFixed(1);
  const facts = { width, height, milliseconds, adapter, precision, peakGpuBytes };
  reporter.result({ ...job, ...facts, ...promptResult(flags) }, [
    `${job.output}  ${width}x${height} in ${seconds} s on ${adapter} (${precision})`,
    ...extra,
  ]);
}

async function writeDump(file: string, dump: Dump): Promise<void> {
  const tensors = [...dump].map(([name, { shape, data }]): [string, TensorData] => [
    name,
    { dtype: 'F32', shape, bytes: new Uint8Array(data.slice().buffer) },
  ]);
  await writeWhole(file, safetensorsParts(new Map(tensors)));
}
