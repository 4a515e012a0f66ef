/** The cache as huggingface_hub lays it out, whoever filled it; what remove takes. */
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readNoisePredictorConfig } from '../../src/invsr/config.ts';
import { createClient, type HubClient } from '../../src/weights/hub/client.ts';
import { findLocal, localFolder } from '../../src/weights/hub/local.ts';
import { SD_TURBO } from '../../src/weights/hub/models.ts';
import { cachePlace, folderPlace, type Place } from '../../src/weights/hub/place.ts';
import { planPull, pull } from '../../src/weights/hub/pull.ts';
import { planRemoval, remove } from '../../src/weights/hub/remove.ts';
import { type HubSettings, readSettings } from '../../src/weights/hub/settings.ts';
import { COMMIT, NP, NP_COMMIT, SD, startHub } from '../harness/hub-models.ts';
import { type HubFile, type HubServer, idOf } from '../harness/hub-server.ts';

let server: HubServer;
let client: HubClient;
let settings: HubSettings;
let home = '';
beforeAll(async () => {
  process.env['NO_PROXY'] = '127.0.0.1,localhost';
  server = await startHub();
  client = createClient({ endpoint: server.endpoint, token: undefined });
});
afterAll(async () => {
  await client.close();
  await server.stop();
});
beforeEach(async () => {
  server.reset();
  home = mkdtempSync(join(tmpdir(), 'invsr-hf-'));
  settings = await readSettings({ HF_HOME: home, HF_ENDPOINT: server.endpoint });
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const filesOf = (repo: string): Map<string, HubFile> => server.repositories.get(repo)!.files;
const folderOf = (repo: string): string => join(home, 'hub', `models--${repo.replace('/', '--')}`);

async function pullTo(place: Place = cachePlace(settings, SD_TURBO)): Promise<void> {
  const options = { client, place, revisions: new Map<string, string>() };
  await pull(await planPull(SD_TURBO, options), options);
}

/** As Python's hf_hub_download leaves a file: blob, relative link, ref. */
function pythonFetched(repo: string, commit: string, paths: readonly string[]): void {
  const folder = folderOf(repo);
  for (const path of paths) {
    const file = filesOf(repo).get(path)!;
    const blob = join(folder, 'blobs', idOf(file));
    const pointer = join(folder, 'snapshots', commit, path);
    mkdirSync(dirname(blob), { recursive: true });
    mkdirSync(dirname(pointer), { recursive: true });
    writeFileSync(blob, file.bytes);
    symlinkSync(relative(dirname(pointer), blob), pointer);
  }
  mkdirSync(join(folder, 'refs'), { recursive: true });
  writeFileSync(join(folder, 'refs', 'main'), commit);
}

const FP32 = [
  'unet/config.json',
  'unet/diffusion_pytorch_model.safetensors',
  'vae/config.json',
  'vae/diffusion_pytorch_model.safetensors',
  'text_encoder/config.json',
  'text_encoder/model.safetensors',
  'scheduler/scheduler_config.json',
  'tokenizer/vocab.json',
  'tokenizer/merges.txt',
];
const PTH = 'noise_predictor_sd_turbo_v5.pth';

describe('what pull leaves', () => {
  test("is Python's layout", async () => {
    await pullTo();
    const folder = folderOf(SD);
    expect(readFileSync(join(folder, 'refs/main'), 'utf8')).toBe(COMMIT);
    const path = 'unet/diffusion_pytorch_model.fp16.safetensors';
    const pointer = join(folder, 'snapshots', COMMIT, path);
    const { bytes } = filesOf(SD).get(path)!;
    expect(readlinkSync(pointer)).toBe(`../../../blobs/${idOf(filesOf(SD).get(path)!)}`);
    expect(readFileSync(pointer).equals(bytes)).toBe(true);
    // Nothing but blobs: no partial file, no note.
    const blobs = await readdir(join(folder, 'blobs'));
    expect(blobs.filter((name) => !/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(name))).toEqual([]);
    expect(await readdir(join(home, 'hub'))).toHaveLength(2);
  });

  test('is a model folder, with the config that no repository has', async () => {
    await pullTo();
    const folder = localFolder(await findLocal(SD_TURBO, settings));
    expect((await folder.folder('unet').list()).toSorted()).toEqual([
      'config.json',
      'diffusion_pytorch_model.fp16.safetensors',
    ]);
    const noisePredictor = folder.folder('noise_predictor');
    expect((await noisePredictor.list()).toSorted()).toEqual(['config.json', PTH]);
    const config = readNoisePredictorConfig(await noisePredictor.readText('config.json'), 'x');
    expect(config).toMatchObject({ channels: [256, 512], headDim: 64, resnetsPerLevel: [3, 3] });
    const source = await noisePredictor.open(PTH);
    expect(await source.size()).toBe(40_000);
    await source.close();
    await expect(folder.folder('vae').readText('nothing.json')).rejects.toThrow(
      /^sd-turbo\/vae: no nothing\.json; the folder has config\.json, diffusion_pytorch_model\.fp16\.safetensors$/,
    );
  });

  test('a newer commit with the same files costs no transfer', async () => {
    await pullTo();
    const repository = server.repositories.get(SD)!;
    repository.commit = 'b'.repeat(40);
    server.reset();
    await pullTo();
    repository.commit = COMMIT;
    expect(server.transfers).toEqual([]);
    const { commits } = await findLocal(SD_TURBO, settings);
    expect(commits[0]?.commit).toBe('b'.repeat(40));
    // Ours under either commit.
    await remove(SD_TURBO, settings, await planRemoval(SD_TURBO, settings, { isAll: false }));
    expect(await readdir(join(home, 'hub'))).toEqual([]);
  });

  test('a damaged file is fetched again, and nothing else', async () => {
    await pullTo();
    const blob = join(folderOf(SD), 'blobs', idOf(filesOf(SD).get('vae/config.json')!));
    writeFileSync(blob, readFileSync(blob).fill(32, 3, 5)); // the size stays
    server.reset();
    await pullTo();
    expect(server.transfers.map((r) => r.path)).toEqual([
      expect.stringMatching(/\/vae\/config\.json$/),
    ]);
    expect(readFileSync(blob).equals(filesOf(SD).get('vae/config.json')!.bytes)).toBe(true);
  });

  test('in a folder of its own: in place, with a manifest, from the cache where it has it', async () => {
    await pullTo();
    server.reset();
    const folder = join(home, 'mine');
    await pullTo(folderPlace(folder, settings, SD_TURBO));
    expect(server.transfers).toEqual([]);
    const names = (await readdir(folder, { recursive: true })).toSorted();
    expect(names).toContain('noise_predictor/config.json');
    expect(names).toContain(`noise_predictor/${PTH}`);
    expect(names.filter((name) => name.includes('part') || name.includes('lock'))).toEqual([]);
    const manifest = JSON.parse(readFileSync(join(folder, 'invsr-manifest.json'), 'utf8')) as {
      files: Record<string, unknown>;
    };
    expect(Object.keys(manifest.files)).toHaveLength(13);
  });
});

describe('what Python fetched', () => {
  test('is found, in full precision too, and not fetched again', async () => {
    pythonFetched(SD, COMMIT, FP32);
    pythonFetched(NP, NP_COMMIT, [PTH]);
    const local = await findLocal(SD_TURBO, settings);
    expect(local.missing).toEqual([]);
    expect(local.files.map((f) => f.target)).toContain('unet/diffusion_pytorch_model.safetensors');
    await pullTo();
    // Optional here, and not among what Python was asked for.
    const names = server.transfers.map((r) => r.path.split('/').at(-1) ?? '');
    expect(names.toSorted()).toEqual(['special_tokens_map.json', 'tokenizer_config.json']);
  });

  test('half of it: the rest is fetched, of the better kind', async () => {
    pythonFetched(SD, COMMIT, FP32.slice(0, 2));
    const local = await findLocal(SD_TURBO, settings);
    expect(local.missing).toContain('vae/diffusion_pytorch_model.fp16.safetensors');
    expect(local.missing).not.toContain('unet/diffusion_pytorch_model.fp16.safetensors');
    await pullTo();
    const { files } = await findLocal(SD_TURBO, settings);
    expect(files.map((f) => f.target)).toContain('unet/diffusion_pytorch_model.safetensors');
    expect(files.map((f) => f.target)).toContain('vae/diffusion_pytorch_model.fp16.safetensors');
  });

  test('with a link to nowhere is not there', async () => {
    pythonFetched(SD, COMMIT, FP32);
    pythonFetched(NP, NP_COMMIT, [PTH]);
    rmSync(join(folderOf(NP), 'blobs'), { recursive: true });
    const { missing } = await findLocal(SD_TURBO, settings);
    expect(missing).toEqual([`noise_predictor/${PTH}`]);
  });

  test('stays when we remove', async () => {
    pythonFetched(SD, COMMIT, FP32);
    await pullTo(); // the noise predictor and what was left
    const removal = await planRemoval(SD_TURBO, settings, { isAll: false });
    expect(removal.files.map((f) => f.path)).toEqual([
      'tokenizer/tokenizer_config.json',
      'tokenizer/special_tokens_map.json',
      PTH,
    ]);
    await remove(SD_TURBO, settings, removal);
    const { missing } = await findLocal(SD_TURBO, settings);
    expect(missing).toEqual([`noise_predictor/${PTH}`]);
    expect(await readdir(join(home, 'hub'))).toEqual(['models--stabilityai--sd-turbo']);
  });
});

describe('remove', () => {
  test('keeps blobs that another snapshot links to', async () => {
    await pullTo();
    const folder = folderOf(SD);
    const path = 'vae/config.json';
    const id = idOf(filesOf(SD).get(path)!);
    const other = join(folder, 'snapshots', 'c'.repeat(40), 'renamed.json');
    mkdirSync(dirname(other), { recursive: true });
    symlinkSync(`../../blobs/${id}`, other);
    await remove(SD_TURBO, settings, await planRemoval(SD_TURBO, settings, { isAll: true }));
    expect(await readdir(join(folder, 'blobs'))).toEqual([id]);
    expect(await readdir(join(folder, 'snapshots'))).toEqual(['c'.repeat(40)]);
  });

  test('takes partial files, and whole folders that are empty then', async () => {
    await pullTo();
    writeFileSync(join(folderOf(SD), 'blobs', `${'d'.repeat(64)}.invsr-part`), 'x');
    await remove(SD_TURBO, settings, await planRemoval(SD_TURBO, settings, { isAll: false }));
    expect(await readdir(join(home, 'hub'))).toEqual([]);
  });
});
