/**
 * The tiny model as the page gets models: on the hub under the names of sd-turbo's files, or in a folder that is
 * dropped. It works: text encoder, tokenizer, and the noise predictor as PyTorch wrote it.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Page } from 'playwright-core';
import { COMMIT, NP, NP_COMMIT, SD } from './hub-models.ts';
import { type HubFile, HubServer } from './hub-server.ts';
import { textEncoderFiles, tinyFiles } from './synthetic.ts';
import { tokenizerFiles } from './tiny-tokenizer.ts';
import { genuineNoisePredictor } from './torch-files.ts';

type Files = Map<string, Uint8Array<ArrayBuffer>>;

const PUBLISHED = 'noise_predictor_sd_turbo_v5.pth';

async function modelFiles(): Promise<Files> {
  const files = tinyFiles();
  files.delete('noise_predictor/diffusion_pytorch_model.fp16.safetensors');
  files.set(`noise_predictor/${PUBLISHED}`, await genuineNoisePredictor('noise_predictor'));
  const encoder = { ...textEncoderFiles(), ...tokenizerFiles() };
  for (const [path, bytes] of Object.entries(encoder)) files.set(path, bytes);
  return files;
}

/** Started; two repositories, as sd-turbo comes from them. */
export async function startWorkingHub(): Promise<HubServer> {
  const all = [...(await modelFiles())].map(([path, bytes]): [string, HubFile] => [
    path.endsWith(PUBLISHED) ? PUBLISHED : path,
    { bytes: Buffer.from(bytes), isLarge: !/\.(?:json|txt)$/.test(path) },
  ]);
  const of = (isPredictor: boolean): Map<string, HubFile> =>
    new Map(all.filter(([path]) => (path === PUBLISHED) === isPredictor));
  const server = new HubServer();
  await server.start();
  server.repositories
    .set(SD, { commit: COMMIT, files: of(false) })
    .set(NP, { commit: NP_COMMIT, files: of(true) });
  return server;
}

/** A folder on disk, for whoever drops it to remove. */
export async function writeModel(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'invsr-own-model-'));
  for (const [path, bytes] of await modelFiles()) {
    const at = join(folder, path);
    mkdirSync(dirname(at), { recursive: true });
    writeFileSync(at, bytes);
  }
  return folder;
}

/** What the page's own config of the published noise predictor says, and the tiny one is. */
const SIZES = [
  ['block_out_channels:[256,512]', 'block_out_channels:[32,64]'],
  ['attention_head_dim:64', 'attention_head_dim:16'],
  ['norm_num_groups:32', 'norm_num_groups:8'],
  ['temb_channels:512', 'temb_channels:64'],
] as const;

/**
 * sd-turbo's noise predictor is published without a config, the page has it: a run of that size would take
 * half a minute here. Changes the page's scripts in `folder`.
 */
export function expectTinyPredictor(folder: string): void {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  let changed = 0;
  for (const path of paths
    .filter((name) => name.endsWith('.js'))
    .map((name) => join(folder, name))) {
    const script = readFileSync(path, 'utf8');
    if (!SIZES.every(([large]) => script.includes(large))) continue;
    writeFileSync(
      path,
      SIZES.reduce((text, [large, tiny]) => text.replace(large, tiny), script),
    );
    changed++;
  }
  if (changed !== 1) throw new Error(`${changed} scripts have the noise predictor's config`);
}

/** As a person does it: Chromium's own folders and files. */
export async function dropFolder(page: Page, path: string): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: [path], dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    await session.send('Input.dispatchDragEvent', { type, x: 500, y: 400, data });
  }
  await session.detach();
}
