/** The pass that looks for NaN and Infinity: which dispatches it follows, what flags mean. */
import { expect, test } from 'vitest';
import type { Target } from '../../src/engine/kernel.ts';
import { dispatchesOf } from '../../src/engine/plan.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { lower } from '../../src/graph/lower.ts';
import { layerOf, WATCH, watch } from '../../src/graph/watch.ts';
import { fullSizeGraph } from '../../src/invsr/full-size.ts';

const target: Target = { family: 'cpu', shaderF16: false, subgroupSize: 4 };

/** time (constant) · a → b */
function plan() {
  const g = new GraphBuilder({ precision: 'f16' });
  const type = { dtype: 'f32', shape: [1, 4] } as const;
  const constants = { timestep: 3, dim: 4, flipSinToCos: true, freqShift: 0 };
  const time = g.emit('timestepEmbedding', 'time', {}, constants, type);
  const x = g.external('x', { dtype: 'f32', shape: [1, 4] });
  const a = g.affine('a', { a: x, b: time }, { alpha: 1, beta: 1, dtype: 'f16' });
  const b = g.affine('b', { a }, { alpha: 2, dtype: 'f32' });
  g.output('b', b);
  return lower(g.build(), target);
}

test('one look after each dispatch, at the buffer that it wrote', () => {
  const before = plan();
  const after = watch(before, target);
  const looks = dispatchesOf(after).filter((d) => d.kernel.name === 'nonFinite');
  expect(looks.map((d) => d.path)).toEqual(['time', 'a', 'b']);
  for (const { path, inputs, kernel } of looks) {
    const seen = dispatchesOf(before).find((d) => d.path === path)!;
    expect(inputs['x']).toEqual(seen.output);
    expect(kernel.variant).toBe(`${seen.kernel.output.type.dtype} [1,4]`);
  }
  const isOurs = (d: { kernel: { name: string } }) => d.kernel.name !== 'nonFinite';
  expect(after.prepare.filter(isOurs)).toEqual(before.prepare);
  expect(after.dispatches.filter(isOurs)).toEqual(before.dispatches);
  // A slot of its own that nothing else overwrites.
  expect(after.slots).toEqual([...before.slots, { bytes: 16, persistent: true }]);
  expect(after.named[WATCH]?.location).toEqual({ kind: 'slot', index: before.slots.length });
});

test('the largest mark is the first dispatch', () => {
  const after = watch(plan(), target);
  const marks = dispatchesOf(after).flatMap(({ path, kernel }) =>
    kernel.name === 'nonFinite' ? [[path, kernel.params['mark']!.value] as const] : [],
  );
  const largest = Math.max(...marks.map(([, mark]) => mark));
  expect(marks[0]).toEqual(['time', largest]);
  for (const [path, mark] of marks)
    expect(layerOf(after, Uint32Array.of(mark, 0, 0, 0))).toBe(path);
  expect(layerOf(after, new Uint32Array(4))).toBeUndefined();
});

test('bands of a large tensor are looked at one by one, each within its window', () => {
  const before = lower(fullSizeGraph('decode', { tile: 128, precision: 'f32' }), target);
  const after = watch(before, target);
  const windows = after.dispatches.flatMap(({ kernel, inputs }) => {
    const x = inputs['x'];
    if (kernel.name !== 'nonFinite' || x?.kind !== 'slot') return [];
    // f32, four to a vector
    return [{ path: kernel.variant, x, bytes: 16 * kernel.params['vectors']!.value }];
  });
  expect(windows.length).toBeGreaterThan(100);
  for (const { path, x, bytes } of windows) expect(x.bytes, path).toBe(bytes);
  expect(windows.some(({ x }) => (x.offset ?? 0) > 0)).toBe(true);
});
