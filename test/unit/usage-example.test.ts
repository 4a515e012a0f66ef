/** The example at the head of src/index.ts is the code that is type-checked. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const read = (path: string): string => readFileSync(join(import.meta.dirname, path), 'utf8');

test('the same lines', () => {
  const comment = read('../../src/index.ts').split('*/')[0]!;
  const example = [...comment.matchAll(/^ \* {3}(\S.*)$/gm)].map(([, line]) => line);
  const checked = read('usage-example.ts')
    .replaceAll('../../src/index.ts', 'invsr-webgpu')
    .replaceAll('../../src/node.ts', 'invsr-webgpu/node')
    .split('\n')
    .filter((line) => line !== '' && !/^(?:\/\*\*|export)/.test(line));
  expect(example.length).toBeGreaterThan(9);
  expect(example).toEqual(checked);
});
