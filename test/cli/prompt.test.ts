/** --prompt: nano with the tiny text encoder beside it and a tokenizer of our own. */
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tinySafetensors } from '../harness/synthetic.ts';
import { goldenPath } from '../harness/goldens.ts';
import { tokenizerFiles } from '../harness/tiny-tokenizer.ts';
import { eventsOf, expectRefusal, filesIn, invsr, NANO, scratch } from './invsr.ts';

const { folder: cwd, remove } = scratch();
const at = (name: string) => join(cwd, name);
const KEPT = /^[0-9a-f]{64}\.safetensors$/;

beforeAll(async () => {
  const blue = { width: 16, height: 16, channels: 3, background: '#48c' } as const;
  await sharp({ create: blue }).png().toFile(at('in.png'));
  cpSync(NANO, at('model'), { recursive: true });
  renameSync(at('model/prompt_embeds.safetensors'), at('prompt_embeds.safetensors'));
  const files: Record<string, Uint8Array> = {
    'text_encoder/config.json': readFileSync(goldenPath('tiny/text_encoder/config.json')),
    'text_encoder/model.fp16.safetensors': tinySafetensors('text_encoder'),
    ...tokenizerFiles(),
  };
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(dirname(at(`model/${name}`)), { recursive: true });
    writeFileSync(at(`model/${name}`), bytes);
  }
});
afterAll(remove);

const upscale = async (output: string, ...more: string[]) =>
  invsr(
    ['upscale', 'in.png', '-o', output, '--tile', '16', '--model', 'model', '--json', ...more],
    { cwd, env: { XDG_CACHE_HOME: at('cache') } },
  );
const pixels = async (name: string) => sharp(at(name)).raw().toBuffer();
const resultOf = ({ stdout }: { readonly stdout: string }) => eventsOf(stdout).at(-1)!;

describe('a model with a text encoder', () => {
  test('has the official prompt by default, encoded once', async () => {
    const first = await upscale('first.png');
    expect(first.stderr).toMatch(/^encoding the prompt, once for this model$/m);
    expect(first.code).toBe(0);
    expect(resultOf(first)).not.toHaveProperty('prompt');
    expect(filesIn(at('model/.invsr'))).toEqual([expect.stringMatching(KEPT)]);

    const second = await upscale('second.png');
    expect(second.stderr).not.toMatch(/encoding/);
    expect(await pixels('second.png')).toEqual(await pixels('first.png'));
    expect(filesIn(at('cache/invsr'))).toEqual([]);
  });

  test('takes another prompt, and names it', async () => {
    const ended = await upscale('cat.png', '--prompt', 'a cat');
    expect(ended.stderr).toMatch(/^encoding the prompt/m);
    expect(resultOf(ended)).toMatchObject({ event: 'result', prompt: 'a cat' });
    expect(await pixels('cat.png')).not.toEqual(await pixels('first.png'));
    expect(filesIn(at('model/.invsr'))).toHaveLength(2);
  });

  test('takes a negative prompt where guidance is on', async () => {
    const off = await upscale('off.png', '--prompt', 'a cat', '--negative-prompt', 'a dog');
    expect(off.stderr).toMatch(
      /^invsr: warning: --negative-prompt has no effect without --cfg above 1$/m,
    );
    expect(resultOf(off)).not.toHaveProperty('negativePrompt');
    expect(await pixels('off.png')).toEqual(await pixels('cat.png'));

    const guided = ['--prompt', 'a cat', '--cfg', '2'];
    const on = await upscale('on.png', ...guided, '--negative-prompt', 'a dog');
    expect(resultOf(on)).toMatchObject({ prompt: 'a cat', negativePrompt: 'a dog' });
    const official = await upscale('official.png', ...guided);
    expect(resultOf(official)).not.toHaveProperty('negativePrompt');
    expect(await pixels('on.png')).not.toEqual(await pixels('official.png'));
    expect(await pixels('on.png')).not.toEqual(await pixels('cat.png'));
  });

  test('says which words are too many, and of steps too', async () => {
    const prompt = `${'a '.repeat(74)}cat dog photo`;
    const ended = await upscale('long.png', '--prompt', prompt, '--timesteps', '9,8,7,6,5,4');
    expect(ended.code).toBe(0);
    expect(eventsOf(ended.stdout)).toContainEqual(
      expect.objectContaining({ event: 'warning', flag: '--prompt', lost: 'dog photo' }),
    );
    expect(ended.stderr).toMatch(
      /^invsr: warning: --prompt is longer than the 77 tokens of the encoder; left out: dog photo$/m,
    );
    expect(ended.stderr).toMatch(
      /^invsr: warning: --timesteps has 6 steps; the official code has at most 5$/m,
    );
  });

  test("keeps states in the user's cache where the model's folder cannot be written", async () => {
    rmSync(at('model/.invsr'), { recursive: true });
    writeFileSync(at('model/.invsr'), 'in the way');
    expect((await upscale('other.png')).stderr).toMatch(/^encoding the prompt/m);
    expect(filesIn(at('cache/invsr/prompts'))).toEqual([expect.stringMatching(KEPT)]);
    expect((await upscale('other.png')).stderr).not.toMatch(/encoding/);
    expect(await pixels('other.png')).toEqual(await pixels('first.png'));
    rmSync(at('model/.invsr'));
  });

  test('prefers states that lie beside it to the official prompt', async () => {
    cpSync(at('prompt_embeds.safetensors'), at('model/prompt_embeds.safetensors'));
    const ended = await upscale('own.png');
    expect(ended.stderr).not.toMatch(/encoding/);
    expect(await pixels('own.png')).not.toEqual(await pixels('first.png'));
    rmSync(at('model/prompt_embeds.safetensors'));
  });

  test('without a tokenizer is refused before anything is computed', async () => {
    renameSync(at('model/tokenizer'), at('model/elsewhere'));
    const ended = await upscale('none.png', '--prompt', 'a cat');
    expectRefusal(
      ended,
      2,
      /model\/tokenizer: no vocab\.json; a prompt needs the tokenizer .* or else prompt_embeds\.safetensors/,
    );
    renameSync(at('model/elsewhere'), at('model/tokenizer'));
  });
});
