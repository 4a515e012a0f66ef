/**
 * Whatever is wrong with the command line or the input: exit code 2, one sentence that names it, and
 * nothing written. All of these end before a device is made, hence the short limit of time.
 */
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readTensors } from '../../src/weights/tensor-reads.ts';
import { fileSource } from '../../src/weights/node-file.ts';
import {
  concatBytes,
  safetensorsParts,
  type TensorData,
} from '../../src/weights/safetensors-write.ts';
import { eventsOf, expectRefusal, filesIn, invsr, NANO, ROOT, scratch } from './invsr.ts';

const { folder: cwd, remove } = scratch();
const at = (name: string) => join(cwd, name);

beforeAll(async () => {
  copyFileSync(join(ROOT, 'examples/images/still-life-lr.png'), at('good.png'));
  const png = readFileSync(at('good.png'));
  const jpeg = await sharp(png).jpeg().toBuffer();
  writeFileSync(at('text.png'), 'these are words\n');
  writeFileSync(at('empty.png'), '');
  writeFileSync(at('cut.png'), png.subarray(0, png.length / 2));
  writeFileSync(at('cut.jpg'), jpeg.subarray(0, jpeg.length / 2));
  writeFileSync(
    at('drawing.png'),
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
  );
  const blank = (width: number, height: number) =>
    sharp({ create: { width, height, channels: 3, background: '#888' }, limitInputPixels: false });
  writeFileSync(at('huge.png'), await blank(20_000, 20_000).png().toBuffer());
  writeFileSync(at('long.png'), await blank(20_000, 8).png().toBuffer());
  writeFileSync(at('wide.png'), await blank(9000, 8).png().toBuffer());
  mkdirSync(at('empty-folder'));
  mkdirSync(at('twins'));
  copyFileSync(at('good.png'), at('twins/a.png'));
  writeFileSync(at('twins/a.jpg'), jpeg);
  symlinkSync('good.png', at('link.png'));
});
afterAll(remove);

/** Arguments after `upscale`, and the sentence. */
const CASES: Readonly<Record<string, readonly [args: string, sentence: RegExp]>> = {
  'missing file': ['nowhere.png -o out.png', /cannot read nowhere\.png: no such file/],
  'text file': ['text.png -o out.png', /text\.png is not an image, expected .*\.webp/],
  'SVG named .png': ['drawing.png -o out.png', /drawing\.png is svg, expected an image/],
  'empty file': ['empty.png -o out.png', /empty\.png is empty \(0 bytes\)/],
  'cut PNG': ['cut.png -o out.png', /cut\.png is damaged or cut short .*get the file again/],
  'cut JPEG': ['cut.jpg -o out.png', /cut\.jpg is damaged or cut short/],
  'too many pixels': ['huge.png -o out.png', /huge\.png has 20000x20000 pixels, at most .*cut it/],
  'JPEG too wide': ['long.png -o out.jpg', /80000x32 pixels, \.jpg files hold at most 65535/],
  'WebP too wide': ['long.png -o out.webp', /80000x32 pixels, \.webp files hold at most 16383/],
  'JPEG too wide at --scale 8': ['wide.png -o out.jpg --scale 8', /72000x64 pixels, \.jpg files/],
  '--scale 9': ['good.png -o out.png --scale 9', /'9' is invalid.*from 1 to 8/],
  '--scale with --official': [
    'good.png -o out.png --scale 2 --official',
    /--scale 2 does not go with --official/,
  ],
  '--depth 12': ['good.png -o out.png --depth 12', /'12' is invalid.*8, 16 or auto/],
  '--depth 16 into JPEG': ['good.png -o out.jpg --depth 16', /out\.jpg holds 8 bits per channel/],
  'folder without images': ['empty-folder -o out', /folder empty-folder has no image/],
  'no output': ['good.png', /required option '-o, --output <path>' not specified/],
  'no input': ['-o out.png', /missing required argument 'input'/],
  'output is BMP': ['good.png -o out.bmp', /-o out\.bmp has the extension \.bmp, expected \.png/],
  'file where a folder is needed': [
    'good.png -o good.png/x.png',
    /good\.png is a file, not a folder/,
  ],
  'several inputs, one file': ['good.png text.png -o out.png', /out\.png is one file/],
  'folder into a file': ['twins -o out.png', /out\.png is one file/],
  'one name for two': ['twins -o out', /a\.jpg and .*a\.png would both be written to .*a\.png/],
  'output is the input': ['good.png -o good.png', /good\.png would be overwritten/],
  'output is a link to the input': ['good.png -o link.png', /good\.png would be overwritten/],
  'unknown flag': ['good.png -o out.png --step 2', /unknown option '--step' .*--steps/],
  '--steps 0': ['good.png -o out.png --steps 0', /'0' is invalid.*whole number from 1 to 5/],
  '--steps 6': ['good.png -o out.png --steps 6', /'6' is invalid.*whole number from 1 to 5/],
  '--timesteps ascending': ['good.png -o out.png --timesteps 50,150', /descending list/],
  '--timesteps garbage': ['good.png -o out.png --timesteps 9,x', /'9,x' is invalid.*250,150,50/],
  '--timesteps twice the same': ['good.png -o out.png --timesteps 9,9', /descending list/],
  '--tile 100': ['good.png -o out.png --tile 100', /'100' is invalid.*multiple of 16/],
  '--tile-batch 0': ['good.png -o out.png --tile-batch 0', /from 1 to 64/],
  '--overlap 0.9': ['good.png -o out.png --overlap 0.9', /'0\.9' is invalid.*from 0 to 0\.5/],
  '--cfg 0.5': ['good.png -o out.png --cfg 0.5', /'0\.5' is invalid.*from 1 to 20/],
  '--cfg without a negative prompt': [
    'good.png -o out.png --cfg 2',
    /^invsr: --cfg 2 needs negative_prompt_embeds \(in .*\), which this model does not have; leave --cfg out$/,
  ],
  '--seed -1': ['good.png -o out.png --seed=-1', /'-1' is invalid.*whole number/],
  '--color-fix': [
    'good.png -o out.png --color-fix adain',
    /Allowed choices are none, wavelet, ycbcr/,
  ],
  '--precision': ['good.png -o out.png --precision f64', /Allowed choices are auto, f16, f32/],
  '--cfg negative': ['good.png -o out.png --cfg=-1', /'-1' is invalid.*from 1 to 20/],
  '--timesteps too high': ['good.png -o out.png --timesteps 1001,9', /list from 1000 to 1/],
  '--timesteps 0': ['good.png -o out.png --timesteps 9,0', /list from 1000 to 1/],
  '--prompt without a text encoder': [
    'good.png -o out.png --prompt cat',
    /^invsr: --prompt needs a text encoder, and .*invsr-nano has no text_encoder\/config\.json; leave it out to use the model's own prompt$/,
  ],
  '--negative-prompt without a text encoder': [
    'good.png -o out.png --cfg 2 --negative-prompt cat',
    /^invsr: --negative-prompt needs a text encoder, and/,
  ],
  '--dump of two': [
    'good.png link.png -o out --dump d.safetensors',
    /--dump takes one input image, got 2/,
  ],
  '--dump elsewhere': [
    'good.png -o out.png --dump d.npz',
    /--dump d\.npz .*expected \.safetensors/,
  ],
  '--before-after': [
    'good.png -o out.png --before-after b.gif',
    /--before-after b\.gif .*expected \.png/,
  ],
  '--noise missing': [
    'good.png -o out.png --noise n.safetensors',
    /n\.safetensors: .*no such file/,
  ],
  '--noise of another kind': [
    'good.png -o out.png --noise good.png',
    /good\.png: is no safetensors file/,
  ],
  '--model unknown': [
    'good.png -o out.png --model sdxl',
    /sdxl is neither a known model nor a folder/,
  ],
  '--model is a file': ['good.png -o out.png --model good.png', /good\.png is a file/],
};

describe('command line and images', () => {
  test.each(Object.entries(CASES))('%s', { timeout: 20_000 }, async (_, [args, sentence]) => {
    const before = filesIn(cwd);
    const started = performance.now();
    expectRefusal(await invsr(['upscale', ...args.split(' ')], { cwd }), 2, sentence);
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(filesIn(cwd)).toEqual(before);
  });

  test('an unknown command', async () => {
    expectRefusal(await invsr(['upscal'], { cwd }), 2, /unknown command 'upscal' .*upscale/);
  });

  test('--json: the error is an object on stdout, the sentence stays on stderr', async () => {
    const ended = await invsr(['upscale', 'text.png', '-o', 'out.png', '--json'], { cwd });
    expectRefusal(ended, 2, /text\.png is not an image/);
    expect(eventsOf(ended.stdout)).toEqual([
      { event: 'error', message: expect.stringContaining('text.png is not an image') },
    ]);
  });

  test('--json: a wrong flag too', async () => {
    const ended = await invsr(['upscale', 'good.png', '--json'], { cwd });
    expect(eventsOf(ended.stdout)).toMatchObject([{ event: 'error' }]);
    expect(ended.code).toBe(2);
  });
});

// --- models that do not fit ----------------------------------------------------------------------

const WEIGHTS = 'unet/diffusion_pytorch_model.safetensors';

/** A copy of nano with one file changed. */
function damaged(change: (model: string) => void): string {
  const model = at('model');
  rmSync(model, { recursive: true, force: true });
  cpSync(NANO, model, { recursive: true });
  change(model);
  return model;
}

const editConfig = (file: string, edit: (config: Record<string, unknown>) => void) =>
  damaged((model) => {
    const path = join(model, file);
    const config = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    edit(config);
    writeFileSync(path, JSON.stringify(config));
  });

async function editWeights(edit: (tensors: Map<string, TensorData>) => void): Promise<string> {
  const tensors = new Map<string, TensorData>(
    await readTensors(await fileSource(join(NANO, WEIGHTS))),
  );
  edit(tensors);
  return damaged((model) =>
    writeFileSync(join(model, WEIGHTS), concatBytes(safetensorsParts(tensors))),
  );
}

const MODELS: Readonly<Record<string, readonly [make: () => string | Promise<string>, RegExp]>> = {
  'no unet/config.json': [
    () => damaged((model) => rmSync(join(model, 'unet/config.json'))),
    /model\/unet: no config\.json; the folder has diffusion_pytorch_model\.safetensors/,
  ],
  'no vae weights': [
    () => damaged((model) => rmSync(join(model, 'vae/diffusion_pytorch_model.safetensors'))),
    /model\/vae: no weights; looked for .*found config\.json/,
  ],
  'no scheduler': [
    () => damaged((model) => rmSync(join(model, 'scheduler'), { recursive: true })),
    /model\/scheduler: no scheduler_config\.json/,
  ],
  'no noise predictor': [
    () => damaged((model) => rmSync(join(model, 'noise_predictor'), { recursive: true })),
    /model\/noise_predictor: no config\.json/,
  ],
  'no prompt': [
    () => damaged((model) => rmSync(join(model, 'prompt_embeds.safetensors'))),
    /model: no prompt_embeds\.safetensors/,
  ],
  'an unsupported block': [
    () =>
      editConfig('unet/config.json', (config) => {
        const types = config['down_block_types'] as string[];
        types[0] = 'KDownBlock2D';
      }),
    /unet\/config\.json: "down_block_types" is "KDownBlock2D", expected one of CrossAttnDownBlock2D/,
  ],
  'another scheduler': [
    () =>
      editConfig('scheduler/scheduler_config.json', (config) => {
        config['_class_name'] = 'DDIMScheduler';
      }),
    /"_class_name" is "DDIMScheduler", expected "EulerDiscreteScheduler"/,
  ],
  'config is no JSON': [
    () => damaged((model) => writeFileSync(join(model, 'vae/config.json'), '{ "in_channels": 3,')),
    /vae\/config\.json is not valid JSON/,
  ],
  'a tensor is missing': [
    () => editWeights((tensors) => tensors.delete('conv_in.weight')),
    /unet: the checkpoint has no tensor "conv_in\.weight"/,
  ],
  'a tensor has another shape': [
    () =>
      editWeights((tensors) => {
        const { dtype, bytes } = tensors.get('conv_in.bias')!;
        tensors.set('conv_in.bias', { dtype, shape: [1, bytes.length / 2], bytes });
      }),
    /unet\/conv_in\.bias: shape is \[1,\d+\], expected \[C\]/,
  ],
  'a tensor has another type': [
    () =>
      editWeights((tensors) => {
        const { shape, bytes } = tensors.get('conv_in.weight')!;
        tensors.set('conv_in.weight', { dtype: 'I16', shape, bytes });
      }),
    /unet\/conv_in\.weight is I16, expected F16, BF16, F32, F64/,
  ],
  'weights cut short': [
    () =>
      damaged((model) => {
        const path = join(model, WEIGHTS);
        writeFileSync(path, readFileSync(path).subarray(0, 500_000));
      }),
    /unet\/diffusion_pytorch_model\.safetensors: cut short: .*download it again/,
  ],
};

test.each(Object.entries(MODELS))('model: %s', { timeout: 20_000 }, async (_, [make, sentence]) => {
  const model = await make();
  const before = filesIn(cwd);
  const args = ['upscale', 'good.png', '-o', 'out.png', '--model', model];
  expectRefusal(await invsr(args, { cwd }), 2, sentence);
  expect(filesIn(cwd)).toEqual(before);
});
