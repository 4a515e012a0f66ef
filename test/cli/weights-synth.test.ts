/** `invsr weights synth`: a model that upscales, what is refused, and nothing half-done stays. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openModel } from '../../src/invsr/model.ts';
import { NOTICE } from '../../src/invsr/synthetic-model.ts';
import { nodeFolder } from '../../src/weights/node-file.ts';
import { eventsOf, expectRefusal, filesIn, invsr, NANO, scratch } from './invsr.ts';

const { folder: cwd, remove } = scratch();
afterAll(remove);
const at = (name: string) => join(cwd, name);
const synth = (...args: string[]) => invsr(['weights', 'synth', ...args], { cwd });

test('a tiny model: every part, said to be synthetic, opens as a model', async () => {
  const { code, stdout, stderr } = await synth('tiny', '--size', 'tiny', '--json');
  expect(stderr).toContain(NOTICE.trim());
  expect(code).toBe(0);
  const result = eventsOf(stdout).at(-1);
  expect(result).toMatchObject({ event: 'result', folder: 'tiny' });
  expect(filesIn(at('tiny'))).toEqual((result!['files'] as string[]).toSorted());
  expect(readFileSync(at('tiny/SYNTHETIC.txt'), 'utf8')).toBe(NOTICE);
  const model = await openModel(nodeFolder(at('tiny')));
  expect(model.shapes.unet.size).toBe(686);
  await model.close();
});

test('--pth: the noise predictor as it is published, in a model that opens', async () => {
  expect((await synth('pth', '--size', 'tiny', '--pth')).code).toBe(0);
  expect(filesIn(at('pth/noise_predictor'))).toEqual([
    'config.json',
    'noise_predictor_sd_turbo_v5.pth',
  ]);
  const model = await openModel(nodeFolder(at('pth')));
  const tensors = [...model.shapes.noisePredictor.values()];
  expect(tensors).toHaveLength(164);
  expect(tensors.every(({ dtype }) => dtype === 'F32')).toBe(true);
  await model.close();
});

test('--size DIR: the shapes of another model', async () => {
  const { code } = await synth('like-nano', '--size', NANO, '--parts', 'unet,vae');
  expect(code).toBe(0);
  expect(filesIn(at('like-nano'))).toEqual([
    'SYNTHETIC.txt',
    'model_index.json',
    'prompt_embeds.safetensors',
    'unet/config.json',
    'unet/diffusion_pytorch_model.fp16.safetensors',
    'vae/config.json',
    'vae/diffusion_pytorch_model.fp16.safetensors',
  ]);
  const config = (folder: string): unknown =>
    JSON.parse(readFileSync(join(folder, 'unet/config.json'), 'utf8'));
  expect(config(at('like-nano'))).toEqual(config(NANO));
});

test('a folder that is not empty: refused, or written over with --force', async () => {
  mkdirSync(at('full'));
  writeFileSync(at('full/mine.txt'), 'mine');
  const args = ['full', '--size', 'tiny', '--parts', 'scheduler'];
  expectRefusal(await synth(...args), 2, /full is not empty \(mine\.txt\); .*--force/);
  expect(filesIn(at('full'))).toEqual(['mine.txt']);
  expect((await synth(...args, '--force')).code).toBe(0);
  expect(filesIn(at('full'))).toContain('scheduler/scheduler_config.json');
  expect(readFileSync(at('full/mine.txt'), 'utf8')).toBe('mine');
});

test.each([
  [['a', '--parts', 'unet,head'], /expected some of scheduler, .*, got head/],
  [['a', '--size', 'nowhere'], /cannot read nowhere\/.*expected full, tiny, or a folder/],
  [['full/mine.txt/a'], /cannot write into full\/mine\.txt\/a: .*is a file, not a folder/],
  [['full/mine.txt', '--size', 'tiny'], /cannot write into full\/mine\.txt/],
])('%j is refused and nothing written', async (args, sentence) => {
  const before = filesIn(cwd);
  expectRefusal(await synth(...args), 2, sentence);
  expect(filesIn(cwd)).toEqual(before);
});

test('a config that is not built is refused by field', async () => {
  mkdirSync(at('odd/vae'), { recursive: true });
  copyFileSync(join(NANO, 'vae/config.json'), at('odd/vae/config.json'));
  const text = readFileSync(at('odd/vae/config.json'), 'utf8');
  writeFileSync(at('odd/vae/config.json'), text.replace(/("latent_channels":) \d+/, '$1 -4'));
  expectRefusal(
    await synth('b', '--size', 'odd', '--parts', 'vae'),
    2,
    /odd\/vae\/config\.json: "latent_channels" is -4/,
  );
});

test('an interrupt leaves whole files only', async () => {
  const { code, signal, stderr } = await invsr(['weights', 'synth', 'cut', '--parts', 'unet'], {
    cwd,
    onStderr: (text, child) => {
      if (/^writing: \d+ MB of 1\.73 GB/m.test(text)) child.kill('SIGINT');
    },
  });
  // By itself, or let through after the grace of main.ts where the disk is slow.
  expect([130, 'SIGINT']).toContain(code ?? signal);
  expect(stderr).toMatch(/^invsr: interrupted; cut is not complete; --force writes all of it/m);
  expect(filesIn(at('cut')).filter((name) => /part$|unet.*safetensors/.test(name))).toEqual([]);
});
