/** `invsr weights` as a user runs it, against a hub on this machine; and sd-turbo as a model's name. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { COMMIT, NP, SD, startHub } from '../harness/hub-models.ts';
import { type HubServer, idOf } from '../harness/hub-server.ts';
import { type Ended, eventsOf, expectRefusal, filesIn, invsr, NANO, scratch } from './invsr.ts';

const { folder: cwd, remove } = scratch();
const at = (...parts: string[]): string => join(cwd, ...parts);

let server: HubServer;
beforeAll(async () => {
  server = await startHub();
});
afterAll(async () => {
  await server.stop();
  remove();
});
beforeEach(() => {
  server.reset();
  rmSync(at('hf'), { recursive: true, force: true });
});

const environment = (): Record<string, string> => ({
  HF_ENDPOINT: server.endpoint,
  HF_HOME: at('hf'),
  HF_HUB_CACHE: '',
  HF_TOKEN: '',
  NO_PROXY: '127.0.0.1,localhost',
  no_proxy: '127.0.0.1,localhost',
});
const weights = (
  args: string,
  options: Partial<Parameters<typeof invsr>[1]> = {},
): Promise<Ended> =>
  invsr(['weights', ...args.split(' ')], {
    cwd,
    ...options,
    env: { ...environment(), ...options.env },
  });
const pulled = async (): Promise<void> => {
  const { code, stderr } = await weights('pull sd-turbo --yes');
  expect(code, stderr).toBe(0);
};
const blobOf = (path: string, repo = SD): string => {
  const id = idOf(server.repositories.get(repo)!.files.get(path)!);
  return at('hf/hub', `models--${repo.replace('/', '--')}`, 'blobs', id);
};
const UNET = 'unet/diffusion_pytorch_model.fp16.safetensors';

describe('pull', () => {
  test('without a terminal and --yes: says what it would do, and does nothing', async () => {
    const ended = await weights('pull sd-turbo');
    expectRefusal(ended, 2, /^invsr: nobody to ask: .*add --yes to accept the licences/);
    expect(ended.stderr).toMatch(/^sd-turbo: 12 files, 460 kB$/m);
    expect(ended.stderr).toMatch(/^ {2}unet\/diffusion_\S+\s+300,000 {2}to fetch$/m);
    expect(ended.stderr).toMatch(/^to fetch: 460 kB from http:.* to .*hf\/hub, .* free there$/m);
    expect(ended.stderr).toMatch(/stabilityai\/sd-turbo: Stability AI Community License, .*https:/);
    expect(ended.stderr).toMatch(
      /OAOA\/InvSR: NTU S-Lab License 1\.0, non-commercial use only; http/,
    );
    expect(server.transfers).toEqual([]);
    expect(filesIn(at('hf'))).toEqual([]);
  });

  test('--dry-run --json: the plan as an object', async () => {
    const { code, stdout } = await weights('pull sd-turbo --dry-run --json');
    expect(code).toBe(0);
    const [plan] = eventsOf(stdout);
    expect(plan).toMatchObject({
      event: 'result',
      dryRun: true,
      bytes: 460_190,
      fetchedBytes: 460_190,
    });
    expect(plan?.['files']).toHaveLength(12);
    expect(filesIn(at('hf'))).toEqual([]);
  });

  test('--yes --json, then list, verify, again, remove', async () => {
    const { code, stdout } = await weights('pull sd-turbo --yes --json');
    expect(code).toBe(0);
    const events = eventsOf(stdout);
    const progress = events.filter((e) => e.event === 'progress');
    expect(progress.at(-1)).toMatchObject({
      stage: 'download',
      doneBytes: 460_190,
      totalBytes: 460_190,
    });
    expect(events.at(-1)).toMatchObject({
      event: 'result',
      model: 'sd-turbo',
      revisions: [{ repo: SD, revision: 'main', commit: COMMIT }, { repo: NP }],
    });

    expect((await weights('list')).stdout).toMatch(/^sd-turbo {2}complete {2}460 kB$/m);
    const verified = await weights('verify sd-turbo');
    expect(verified.stdout).toBe('sd-turbo: 12 files, 460,190 bytes, all right\n');

    server.reset();
    expect((await weights('pull sd-turbo')).code).toBe(0); // nothing to agree to
    expect(server.transfers).toEqual([]);

    expectRefusal(await weights('remove sd-turbo'), 2, /add --yes to delete them/);
    expect((await weights('remove sd-turbo -y')).stdout).toBe('sd-turbo is removed, 460 kB\n');
    expect(filesIn(at('hf'))).toEqual([]);
  });

  test('--revision and --to', async () => {
    const args = `pull sd-turbo --to models/mine --revision ${COMMIT} --revision ${NP}=main --yes`;
    const { code, stdout } = await weights(args);
    expect(stdout).toMatch(/--model models\/mine$/m);
    expect(code).toBe(0);
    expect((await weights('verify models/mine')).stdout).toMatch(/13 files, .* all right$/m);
    writeFileSync(at('models/mine/vae/config.json'), '{"_class_name":"AutoencoderKl"}');
    const damaged = await weights('verify models/mine');
    expectRefusal(
      damaged,
      1,
      /mine is damaged: \S+vae\/config\.json its git checksum is .*; invsr weights pull sd-turbo --to models\/mine fetches it again$/,
    );
  });

  test('a damaged file is named, and fetched again', async () => {
    await pulled();
    const blob = blobOf(UNET);
    writeFileSync(blob, readFileSync(blob).fill(0, 0, 16));
    expectRefusal(
      await weights('verify sd-turbo'),
      1,
      /sd-turbo is damaged: \S+unet\/diffusion_\S+ its SHA-256 is \w+, expected \w+; invsr weights pull sd-turbo fetches it again$/,
    );
    await pulled();
    expect((await weights('verify sd-turbo')).code).toBe(0);
  });
});

describe('interrupted', () => {
  const MIB = 2 ** 20;
  const BIG = 20 * MIB;
  beforeAll(() => {
    const bytes = Buffer.alloc(BIG, Buffer.from(Array.from({ length: 1021 }, (_, i) => i & 255)));
    server.repositories
      .get(SD)!
      .files.set('vae/diffusion_pytorch_model.fp16.safetensors', { bytes, isLarge: true });
  });
  const isBig = (path: string): boolean =>
    path.includes(
      idOf(server.repositories.get(SD)!.files.get('vae/diffusion_pytorch_model.fp16.safetensors')!),
    );
  const firstByte = (): number => {
    const request = server.transfers.find((r) => r.at === 'files' && isBig(r.path));
    return Number(/bytes=(\d+)-/.exec(request?.headers.range ?? '')?.[1]);
  };
  const AFTER = 18 * MIB;
  const stall = (): void => {
    server.fault = (seen) =>
      seen.at === 'files' && isBig(seen.path) ? { stallAfter: AFTER } : undefined;
  };
  /** As soon as all came that will come. */
  const when = (signal: NodeJS.Signals) => ({
    onLine: (line: string, child: { kill(signal: NodeJS.Signals): boolean }) => {
      const { doneBytes } = JSON.parse(line) as { doneBytes?: number };
      if ((doneBytes ?? 0) >= AFTER) child.kill(signal);
    },
  });

  test('by kill -9: the next pull goes on from the last note', async () => {
    stall();
    const killed = await weights('pull sd-turbo --yes --json', when('SIGKILL'));
    expect(killed.signal).toBe('SIGKILL');
    server.reset();
    await pulled();
    expect(firstByte()).toBeGreaterThanOrEqual(16 * MIB); // notes are written every 16 MiB
    expect((await weights('verify sd-turbo')).code).toBe(0);
  });

  test('by Ctrl-C: says so, keeps every byte', async () => {
    stall();
    const ended = await weights('pull sd-turbo --yes --json', when('SIGINT'));
    expectRefusal(
      ended,
      130,
      /^invsr: interrupted; 19\.3 MB of 21\.4 MB are kept, the same command continues there$/,
    );
    const again = await weights('pull sd-turbo --dry-run');
    expect(again.stderr).toMatch(/vae\/diffusion_\S+ +20,971,520 {2}to fetch, 90 % there/);
    server.reset();
    await pulled();
    expect(firstByte()).toBe(AFTER);
  });
});

describe('what is wrong is said', () => {
  test.each<[string, string, Record<string, string>, number, RegExp]>([
    [
      'an unknown model',
      'pull sdxl',
      {},
      2,
      /sdxl is no model that can be fetched; expected sd-turbo/,
    ],
    [
      'an unknown revision',
      'pull sd-turbo -y --revision v9',
      {},
      1,
      /sd-turbo at v9: HTTP 404 \(Rev/,
    ],
    [
      'a revision of another',
      'pull sd-turbo -y --revision a/b=c',
      {},
      2,
      /--revision a\/b=c: sd-turbo has stab/,
    ],
    [
      'a revision that is a path',
      'pull sd-turbo -y --revision ../x',
      {},
      2,
      /expected a branch, tag or/,
    ],
    ['--link alone', 'pull sd-turbo --link', {}, 2, /--link goes with --from/],
    [
      'no such address',
      'pull sd-turbo -y',
      { HF_ENDPOINT: 'hub' },
      2,
      /HF_ENDPOINT is "hub", expected/,
    ],
    [
      'offline',
      'pull sd-turbo -y',
      { HF_HUB_OFFLINE: '1' },
      2,
      /HF_HUB_OFFLINE is set, and unet\/config\.json, /,
    ],
    [
      'nothing to verify',
      'verify sd-turbo',
      {},
      2,
      /sd-turbo is not here; invsr weights pull sd-turbo/,
    ],
    [
      'no manifest',
      'verify .',
      {},
      2,
      /\. has no invsr-manifest\.json, so there is nothing to compare/,
    ],
    ['nothing to remove', 'remove sd-turbo -y', {}, 2, /sd-turbo: nothing to remove in .*hf\/hub/],
    [
      'a file for a folder',
      'pull sd-turbo -y --to file/x',
      {},
      1,
      /cannot write .*file\/x.*: a part of its path is a file/,
    ],
    [
      'no folder',
      'pull sd-turbo --from nowhere',
      {},
      2,
      /--from nowhere: no unet\/config\.json in it/,
    ],
  ])('%s', async (_, args, env, code, sentence) => {
    writeFileSync(at('file'), '');
    expectRefusal(await weights(args, { env }), code, sentence);
  });

  test('a gated repository, and a file that the repository does not have', async () => {
    const original = server.repositories.get(NP)!;
    server.repositories.set(NP, { ...original, token: 'hf_x' });
    expectRefusal(await weights('pull sd-turbo -y'), 1, /InvSR at main: HTTP 401 .*set HF_TOKEN/);
    expect((await weights('pull sd-turbo --dry-run', { env: { HF_TOKEN: 'hf_x' } })).code).toBe(0);
    server.repositories.set(NP, { ...original, files: new Map() });
    const missing =
      /InvSR at main \(fedcba98\) has no noise_predictor_sd_turbo_v5\.pth; try another/;
    expectRefusal(await weights('pull sd-turbo -y'), 1, missing);
    server.repositories.set(NP, original);
  });

  test('a disk that is too small, before anything is fetched', async () => {
    const { files } = server.repositories.get(SD)!;
    const unet = files.get(UNET)!;
    files.set(UNET, { ...unet, listedBytes: 2 ** 52 });
    expectRefusal(
      await weights('pull sd-turbo -y'),
      1,
      /hub has .* free, 4\.50 PB are needed; make/,
    );
    files.set(UNET, unet);
    expect(server.transfers).toEqual([]);
  });

  test('no network: a complete model is enough', async () => {
    await pulled();
    const offline = { HF_ENDPOINT: 'http://127.0.0.1:1' };
    const ended = await weights('pull sd-turbo', { env: offline });
    expect(ended.stderr).toMatch(/the hub cannot be asked .*connection refused/);
    expect(ended.code).toBe(0);
    expect((await weights('pull sd-turbo', { env: { HF_HUB_OFFLINE: '1' } })).code).toBe(0);
  });
});

describe('--model sd-turbo', () => {
  const upscale = (...args: string[]): Promise<Ended> =>
    invsr(['upscale', 'in.png', '-o', 'out.png', ...args], { cwd, env: environment() });
  beforeAll(async () => {
    await sharp({ create: { width: 16, height: 16, channels: 3, background: '#864' } }).toFile(
      at('in.png'),
    );
  });

  test('not fetched, half fetched', async () => {
    expectRefusal(
      await upscale('--model', 'sd-turbo'),
      2,
      /--model sd-turbo is not in \S+hf\/hub; fetch it: invsr weights pull sd-turbo$/,
    );
    await pulled();
    rmSync(blobOf(UNET));
    expectRefusal(
      await upscale('--model', 'sd-turbo'),
      2,
      /is not complete in \S+ \(no unet\/diffusion_pytorch_model\.fp16\.safetensors\); fetch it: invsr/,
    );
  });

  test('a folder that is no model', async () => {
    mkdirSync(at('pictures'), { recursive: true });
    expectRefusal(
      await upscale('--model', 'pictures'),
      2,
      /--model pictures is no model folder: looked for pictures\/unet\/config\.json, expected unet\/, /,
    );
  });

  test('imported from a folder: checked, copied, used', async () => {
    cpSync(NANO, at('stick'), { recursive: true });
    const { code, stderr } = await weights('pull sd-turbo --from stick');
    expect(code, stderr).toBe(0);
    expect((await weights('verify sd-turbo')).code).toBe(0);
    rmSync(at('stick'), { recursive: true });
    const used = await upscale('--model', 'sd-turbo', '--tile', '16', '--adapter', 'software');
    expect(used.code, used.stderr).toBe(0);
    expect((await weights('remove sd-turbo -y')).stdout).toMatch(/is removed, 3\.3\d MB$/m);
    expect(filesIn(at('hf'))).toEqual([]);
  });

  test.each<[string, (stick: string) => void, RegExp]>([
    [
      'cut short',
      (stick) => {
        const file = join(stick, 'unet/diffusion_pytorch_model.safetensors');
        writeFileSync(file, readFileSync(file).subarray(0, 500_000));
      },
      /stick\/unet\/diffusion_\S+: cut short: .*download it again/,
    ],
    [
      'of another shape',
      (stick) => {
        const file = join(stick, 'noise_predictor/config.json');
        const config = JSON.parse(readFileSync(file, 'utf8')) as { layers_per_block: number[] };
        config.layers_per_block = [3, 1];
        writeFileSync(file, JSON.stringify(config));
      },
      /noise_predictor: the checkpoint has no tensor "encoder\.down_blocks\.0\.resnets\.2\./,
    ],
    [
      'incomplete',
      (stick) => rmSync(join(stick, 'scheduler'), { recursive: true }),
      /--from stick: no scheduler\/scheduler_config\.json in it/,
    ],
  ])('a folder that is %s is not imported', async (_, change, sentence) => {
    rmSync(at('stick'), { recursive: true, force: true });
    cpSync(NANO, at('stick'), { recursive: true });
    change(at('stick'));
    expectRefusal(await weights('pull sd-turbo --from stick'), 2, sentence);
    expect(filesIn(at('hf'))).toEqual([]);
  });
});
