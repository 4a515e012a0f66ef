/** `invsr weights verify`: reads every byte of a model and compares with what the hub said. */
import { stat } from 'node:fs/promises';
import { Command } from 'commander';
import type { Expected } from '../weights/hub/checksum.ts';
import { faultOf } from '../weights/hub/file-checksum.ts';
import { HubError } from '../weights/hub/error.ts';
import { findIn, findLocal, type LocalModel } from '../weights/hub/local.ts';
import { HUB_MODELS, SD_TURBO } from '../weights/hub/models.ts';
import { readSettings } from '../weights/hub/settings.ts';
import { InputError, interruptible } from './errors.ts';
import type { CommandContext } from './progress.ts';
import { modelOf } from './weights-pull.ts';

export function verifyCommand(context: CommandContext): Command {
  return new Command('verify')
    .description('Check sizes and checksums of every file of a model.')
    .argument(
      '<model|dir>',
      `${HUB_MODELS.map((m) => m.name).join(', ')}, or a folder of pull --to`,
    )
    .option('--json', 'one JSON object per line on stdout')
    .action((name: string) =>
      interruptible(
        context.signal,
        () => 'not all files were checked',
        () => verify(name, context),
      ),
    );
}

interface Broken {
  readonly file: string;
  readonly path: string;
  readonly fault: string;
}

async function verify(name: string, { reporter, signal }: CommandContext): Promise<void> {
  const { local, remedy } = await find(name);
  const { files, missing } = local;
  const totalBytes = files.reduce((sum, file) => sum + file.size, 0);
  let doneBytes = 0;
  const broken: Broken[] = [];
  for (const { target: file, path, size, checksum } of files) {
    const expected: Expected = { size, checksum };
    const fault = await faultOf(path, expected, {
      signal,
      onBytes: (count) => {
        doneBytes += count;
        reporter.transfer({ stage: 'check', doneBytes, totalBytes });
      },
    });
    if (fault !== undefined) broken.push({ file, path, fault });
  }
  // A cache without links (Windows) and foreign files have sizes only.
  const unknown = files.filter((file) => file.checksum === undefined).map((file) => file.target);
  if (unknown.length > 0) {
    reporter.note(`no checksum is known of ${unknown.join(', ')}: only there, not verified`);
  }
  if (broken.length === 0 && missing.length === 0) {
    reporter.result({ model: name, files: files.length, bytes: totalBytes, broken, unknown }, [
      `${name}: ${files.length} files, ${totalBytes.toLocaleString('en-US')} bytes, all right`,
    ]);
    return;
  }
  const faults = [
    ...broken.map(({ path, fault }) => `${path} ${fault}`),
    ...missing.map((target) => `${target} is missing`),
  ];
  throw new HubError(`${name} is damaged: ${faults.join('; ')}; ${remedy}`);
}

async function find(name: string): Promise<{ local: LocalModel; remedy: string }> {
  const isModel = HUB_MODELS.some((model) => model.name === name);
  const info = isModel ? undefined : await stat(name).catch(() => undefined);
  if (info?.isDirectory() === true) {
    const local = await findIn(SD_TURBO, name);
    if (local.files.length === 0) {
      throw new InputError(
        `${name} has no invsr-manifest.json, so there is nothing to compare with; expected a folder that pull --to made`,
      );
    }
    return { local, remedy: `invsr weights pull ${SD_TURBO.name} --to ${name} fetches it again` };
  }
  const model = modelOf(name);
  const local = await findLocal(model, await readSettings());
  const remedy = `invsr weights pull ${name} fetches it again`;
  if (local.files.length > 0) return { local, remedy };
  throw new InputError(`${name} is not here; invsr weights pull ${name} fetches it`);
}
