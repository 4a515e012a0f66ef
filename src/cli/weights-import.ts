/**
 * `invsr weights pull NAME --from DIR`: a model from a folder, without a network. DIR is a model
 * folder, or a copy of stabilityai/sd-turbo with the noise predictor's .pth beside its folders.
 * Headers, names and shapes are checked before anything is written.
 */
import { lstat, mkdir, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { checkModel } from '../invsr/check-model.ts';
import { openModel } from '../invsr/model.ts';
import { OFFICIAL_PROMPT, openPrompts } from '../invsr/prompt.ts';
import { TIMESTEPS } from '../invsr/scheduler.ts';
import { openCheckpoint } from '../weights/checkpoint.ts';
import { sizeOf } from '../weights/hub/cache.ts';
import { diskError } from '../weights/hub/error.ts';
import { digestOf } from '../weights/hub/file-checksum.ts';
import { importedFolder } from '../weights/hub/local.ts';
import type { HubModel } from '../weights/hub/models.ts';
import { copyTo } from '../weights/hub/place.ts';
import { writeManifest } from '../weights/hub/plain-folder.ts';
import { writeJson } from '../weights/hub/record.ts';
import type { HubSettings } from '../weights/hub/settings.ts';
import { mappedFolder, type Place } from '../weights/mapped-folder.ts';
import { nodeFolder } from '../weights/node-file.ts';
import { expectSpace } from './disk-space.ts';
import { InputError, interruptible } from './errors.ts';
import { humanBytes } from './transfer-progress.ts';
import type { CommandContext } from './progress.ts';

interface ImportOptions {
  readonly from: string;
  readonly to: string | undefined;
  readonly isLink: boolean;
  readonly isDryRun: boolean;
}

export async function importModel(
  model: HubModel,
  { from, to, isLink, isDryRun }: ImportOptions,
  settings: HubSettings,
  { reporter, signal }: CommandContext,
): Promise<void> {
  const places = await findFiles(model, from);
  await validate(from, places);
  const folder = to === undefined ? importedFolder(settings, model) : resolve(to);
  const files = [...places].flatMap(([target, place]) =>
    'file' in place ? [{ target, path: place.file }] : [],
  );
  const sizes = await Promise.all(files.map(async ({ path }) => (await sizeOf(path)) ?? 0));
  const totalBytes = sizes.reduce((a, b) => a + b, 0);
  for (const [i, { target }] of files.entries()) {
    reporter.note(`  ${target}  ${humanBytes(sizes[i] ?? 0)}`);
  }
  const summary = { model: model.name, folder, bytes: totalBytes, files };
  if (isDryRun) {
    reporter.result({ ...summary, dryRun: true }, []);
    return;
  }
  if (!isLink && resolve(from) !== folder) await expectSpace(folder, totalBytes);
  const sentence = (): string =>
    `${folder} is not complete; the same command copies all of it again`;
  await interruptible(signal, sentence, copyModel);
  const use = to === undefined ? model.name : to;
  reporter.result(summary, [
    `${model.name} is imported to ${folder}`,
    `use it: invsr upscale photo.jpg -o large.png --model ${use}`,
  ]);

  async function copyModel(): Promise<void> {
    const entries: [string, { size: number; id: string }][] = [];
    let doneBytes = 0;
    for (const [i, { target, path }] of files.entries()) {
      signal.throwIfAborted();
      const id = await digestOf(path, 'sha256', {
        signal,
        onBytes: (count) => {
          doneBytes += count;
          reporter.transfer({ stage: 'copy', doneBytes, totalBytes });
        },
      });
      const place = join(folder, target);
      if (resolve(path) !== place) await (isLink ? linkTo(path, place) : copyTo(path, place));
      entries.push([target, { size: sizes[i] ?? 0, id }]);
    }
    for (const [target, place] of places) {
      if ('text' in place) await writeJson(join(folder, target), JSON.parse(place.text));
    }
    await writeManifest(folder, {
      model: model.name,
      commits: {},
      files: Object.fromEntries(entries),
    });
  }
}

async function linkTo(path: string, place: string): Promise<void> {
  try {
    await mkdir(dirname(place), { recursive: true });
    if (await lstat(place).catch(() => undefined)) await rm(place);
    await symlink(resolve(path), place);
  } catch (cause) {
    throw diskError(place, cause);
  }
}

/** Files of the model folder by their paths in it. */
async function findFiles(model: HubModel, from: string): Promise<Map<string, Place>> {
  const root = nodeFolder(from);
  const places = new Map<string, Place>();
  const takeFile = async (target: string, path = join(from, target)): Promise<boolean> => {
    if ((await sizeOf(path)) === undefined) return false;
    places.set(target, { file: path });
    return true;
  };
  const require = async (target: string): Promise<void> => {
    if (await takeFile(target)) return;
    throw new InputError(
      `--from ${from}: no ${target} in it; expected unet/, vae/, scheduler/, text_encoder/, tokenizer/ and noise_predictor/ (or its .pth)`,
    );
  };
  /** The checkpoint that a reader of the folder would choose; shards come with their index. */
  const takeWeights = async (component: string): Promise<void> => {
    const folder = root.folder(component);
    const checkpoint = await openCheckpoint(folder);
    await checkpoint.close();
    const chosen = basename(checkpoint.name);
    await require(`${component}/${chosen}`);
    if (!chosen.endsWith('.json')) return;
    for (const file of await folder.list()) {
      if (/-\d{5}-of-\d{5}\.safetensors$/.test(file)) await require(`${component}/${file}`);
    }
  };

  for (const component of ['unet', 'vae']) {
    await require(`${component}/config.json`);
    await takeWeights(component);
  }
  await require('scheduler/scheduler_config.json');
  const hasPrompt = await takeFile('prompt_embeds.safetensors');
  // With states of its own a model needs no encoder, and one without a tokenizer is of no use.
  if (!hasPrompt || (await sizeOf(join(from, 'tokenizer/vocab.json'))) !== undefined) {
    await require('text_encoder/config.json');
    await takeWeights('text_encoder');
    await require('tokenizer/vocab.json');
    await require('tokenizer/merges.txt');
    for (const file of ['tokenizer_config.json', 'special_tokens_map.json']) {
      await takeFile(`tokenizer/${file}`);
    }
  }
  for (const { folder, candidates } of model.sources.flatMap((source) => source.parts)) {
    const [name = ''] = candidates;
    if (folder !== 'noise_predictor') continue;
    if (!(await takeFile(`${folder}/${name}`, join(from, name)))) await takeWeights(folder);
  }
  for (const [target, text] of model.own) {
    if (!(await takeFile(target))) places.set(target, { text });
  }
  return places;
}

/** Everything but the numbers: headers, names, shapes, tokens, and that the parts fit each other. */
async function validate(name: string, places: ReadonlyMap<string, Place>): Promise<void> {
  const folder = mappedFolder(name, places);
  const prompts = places.has('text_encoder/config.json')
    ? await openPrompts(folder, { prompt_embeds: OFFICIAL_PROMPT })
    : undefined;
  try {
    const model = await openModel(folder, prompts?.known);
    try {
      checkModel(model, { tile: 128, timesteps: TIMESTEPS[1] ?? [], cfg: 1 });
    } finally {
      await model.close();
    }
  } finally {
    await prompts?.close();
  }
}
