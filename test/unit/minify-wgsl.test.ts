/** Kernels built for pages have the same tokens as their source: scripts/minify-wgsl.mjs. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'rolldown';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { minifyTemplates, minifyWgslPlugin } from '../../scripts/minify-wgsl.mjs';
import type { Target } from '../../src/engine/kernel.ts';
import * as source from '../harness/all-kernels.ts';
import { NVIDIA, withMatrix } from '../harness/matrices.ts';

const ROOT = join(import.meta.dirname, '../..');
const TARGETS: readonly Target[] = [
  { family: 'cpu', shaderF16: true, subgroupSize: 8 },
  { family: 'cpu', shaderF16: false, subgroupSize: 0 },
  { family: 'alu', shaderF16: false, subgroupSize: 0 },
  withMatrix(NVIDIA),
];

/** Comments and white space are no tokens; signs that touch are one. */
const tokensOf = (wgsl: string): string | undefined =>
  wgsl
    .replace(/\/\/.*$|\/\*[^]*?\*\//gm, '')
    .match(/[\w.]+|[()[\]{},;:]|[^\w\s()[\]{},;:]+/g)
    ?.join(' ');

describe('all kernels', () => {
  // In the repository, whose packages it imports.
  const outfile = join(ROOT, '.cache/minified-kernels.mjs');
  afterAll(() => rmSync(outfile, { force: true }));
  let minified: typeof source;
  beforeAll(async () => {
    await build({
      input: join(ROOT, 'test/harness/all-kernels.ts'),
      platform: 'node',
      external: /^[^./]/, // packages
      plugins: [minifyWgslPlugin],
      output: { file: outfile, codeSplitting: false },
    });
    minified = (await import(pathToFileURL(outfile).href)) as typeof source;
  });

  test.each(TARGETS)('for %o', async (target) => {
    const texts = await minified.textsFor(target);
    const expected = await source.textsFor(target);
    expect(expected.size).toBeGreaterThan(100);
    expect([...texts.keys()]).toEqual([...expected.keys()]);
    for (const [name, text] of texts) {
      expect(tokensOf(text), name).toBe(tokensOf(expected.get(name) ?? '') ?? 'no text');
    }
  });
});

describe('template literals', () => {
  const minify = (text: string): string => minifyTemplates('a.ts', text);

  test('comments, indentation, spaces and empty lines go; lines stay', () => {
    expect(minify('const a = `\n  let a = 1;  // why\n\n  // what\n  b(a, -a - -a);\n`;')).toBe(
      'const a = `\nlet a=1;\nb(a, -a- -a);\n`;',
    );
  });

  test('a literal of one line that ends as a statement does is one', () => {
    expect(minify('f(`let a${i} = b[i + ${j}];`, `a + ${b}`)')).toBe(
      'f(`let a${i} =b[i+ ${j}];`, `a + ${b}`)',
    );
  });

  test('directives and literals of one line keep their spaces, others beside values alone', () => {
    const text = 'f(`\n#if a && b\nx = ${a} + b;\n`, `a is ${a}, not b`)';
    expect(minify(text)).toBe('f(`\n#if a && b\nx= ${a} +b;\n`, `a is ${a}, not b`)');
  });

  test('directives of a wgsl literal become conditions, which may hold others', () => {
    const text =
      'f(wgsl`\na;\n#if ${a}\n  b;\n#elif ${c ?? d}\n  e ${f};\n#else\n#if ${g}\nh;\n#endif\n#endif\n  i;\n`)';
    expect(minify(text)).toBe(
      'f(`\na;${(a)?`\nb;`:(c ?? d)?`\ne ${f};`:`${(g)?`\nh;`:``}`}\ni;\n`)',
    );
  });

  test('block comments go, over several lines too', () => {
    expect(minify('const a = `\n/** What\n * it does. */\nfn f() { } /* why */\nb;\n`;')).toBe(
      'const a = `\nfn f(){ }\nb;\n`;',
    );
  });

  test('a comment with a value in it stays', () => {
    expect(minify('f(`a; // of ${n} rows\n  b`)')).toBe('f(`a; //of ${n} rows\nb`)');
  });

  test('a comment before an escaped line break stays', () => {
    expect(minify('f(`a; // b\\n c;\n`)')).toBe('f(`a; //b\\n c;\n`)');
  });

  test('what is outside, and literals in literals', () => {
    expect(minify('g(  `${x.map((i) => `  a  ${i}`)}\n  b`  ) // c\n')).toBe(
      'g(  `${x.map((i) => ` a ${i}`)}\nb`  ) // c\n',
    );
  });

  test('addresses are no comments', () => {
    expect(minify('f(`https://a.b/c\n`)')).toBe('f(`https://a.b/c\n`)');
  });
});
