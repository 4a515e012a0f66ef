/** `--check`: what a person sees where numbers go wrong. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { f16BitsToF32, f32ToF16Bits } from '../../src/weights/half.ts';
import { bytesSource } from '../../src/weights/source.ts';
import { readHeader } from '../../src/weights/safetensors.ts';
import { eventsOf, expectRefusal, filesIn, invsr, scratch } from './invsr.ts';

const { folder: cwd, remove } = scratch();
afterAll(remove);
const at = (name: string) => join(cwd, name);
const UPSCALE = [
  'upscale',
  'in.png',
  '-o',
  'out.png',
  '--tile',
  '16',
  '--precision',
  'f16',
  '--check',
];

beforeAll(async () => {
  const noise = { type: 'gaussian', mean: 128, sigma: 40 } as const;
  const create = { width: 16, height: 16, channels: 3, background: '#888', noise } as const;
  writeFileSync(at('in.png'), await sharp({ create }).png().toBuffer());
});

/** A tiny model of its own, one of its weights changed. */
async function modelWith(name: string, tensor: string, change: (value: number) => number) {
  expect((await invsr(['weights', 'synth', name, '--size', 'tiny'], { cwd })).code).toBe(0);
  const file = at(`${name}/vae/diffusion_pytorch_model.fp16.safetensors`);
  const bytes = new Uint8Array(readFileSync(file));
  const { tensors } = await readHeader(bytesSource(file, bytes));
  const { offset, bytes: length } = tensors.get(tensor)!;
  const view = new DataView(bytes.buffer, offset, length);
  for (let i = 0; i < length; i += 2) {
    const value = change(f16BitsToF32(view.getUint16(i, true)));
    view.setUint16(i, f32ToF16Bits(value), true);
  }
  writeFileSync(file, bytes);
}

const LAYER = 'decoder.up_blocks.1.resnets.0.conv1';

test('a layer out of the range of f16: a warning, an event, and the picture', async () => {
  await modelWith('wide', `${LAYER}.weight`, (v) => v * 2 ** 15);
  const { code, stdout, stderr } = await invsr([...UPSCALE, '--model', 'wide', '--json'], { cwd });
  expect(stderr).toMatch(
    new RegExp(
      `^invsr: warning: vae\\.${LAYER} leaves the range of f16; the decode stage goes on in f32$`,
      'm',
    ),
  );
  expect(eventsOf(stdout).filter(({ event }) => event === 'warning')).toEqual([
    {
      event: 'warning',
      message: `vae.${LAYER} leaves the range of f16; the decode stage goes on in f32`,
      stage: 'decode',
      layer: `vae.${LAYER}`,
    },
  ]);
  expect(code).toBe(0);
  expect(filesIn(cwd)).toContain('out.png');
});

test('damaged weights: the layer that shows it first, exit 1, no picture', async () => {
  await modelWith('damaged', `${LAYER}.weight`, () => Number.NaN);
  const before = filesIn(cwd);
  const args = [...UPSCALE, '-o', 'none.png', '--model', 'damaged'];
  const ended = await invsr(args, { cwd });
  const stderr = ended.stderr.replace(/^invsr: warning: .*\n/m, '');
  expectRefusal(
    { ...ended, stderr },
    1,
    new RegExp(
      `vae\\.${LAYER} gives NaN or Infinity in f32: the weights of damaged are damaged; get them again`,
    ),
  );
  expect(filesIn(cwd)).toEqual(before);
});
