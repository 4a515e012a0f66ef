/**
 * Browsers clamp indices into workgroup arrays unless the compiler proves them in bounds. In the inner
 * loop of a product every clamp costs as much as a multiplication, so there must be none.
 */
import { describe, expect, test } from 'vitest';
import type { Target, TensorType } from '../../src/engine/kernel.ts';
import { linear } from '../../src/kernels/linear.ts';
import { adapterNames, ADAPTERS, openTestDevice } from '../harness/device.ts';
import { clampsOf, dumpSpirv } from '../harness/spirv.ts';

/** Every design of products with many and with few columns. */
function designs(target: Target): { name: string; wgsl: string }[] {
  const kernelsOf = (dtype: 'f32' | 'f16', columns: number) => {
    const x: TensorType = { dtype, shape: [512, 64] };
    const weight: TensorType = { dtype: 'f16', shape: [64, columns] };
    const { choice } = linear({ x, weight }, {}, target);
    return (choice?.candidates ?? []).map((design) => ({
      name: `${dtype} ${design}`,
      wgsl: linear({ x, weight }, {}, { ...target, designs: { [choice!.key]: design } }).wgsl,
    }));
  };
  // Without f16 arithmetic the tiles are f32 whatever the storage.
  const dtypes = target.shaderF16 ? (['f32', 'f16'] as const) : (['f32'] as const);
  return dtypes.flatMap((dtype) => [...kernelsOf(dtype, 64), ...kernelsOf(dtype, 32)]);
}

// One adapter: clamps are put in by Dawn, not by drivers.
describe.each(adapterNames.slice(-1))('%s', (name) => {
  test('no design of a product clamps indices into its tiles', async () => {
    const { device, target } = await openTestDevice(name);
    device.destroy();
    const both = target.shaderF16 ? [true, false] : [false];
    const tested = both.flatMap((shaderF16) => designs({ ...target, shaderF16, family: 'alu' }));
    const dumps = await dumpSpirv(
      ADAPTERS[name],
      tested.map(({ wgsl }) => wgsl),
    );
    for (const [i, { name: design }] of tested.entries()) {
      for (const tile of ['x_tile', 'weight_tile']) {
        const { accesses, clamped } = clampsOf(dumps[i]!, tile);
        expect(accesses, `${design}: accesses to ${tile}`).toBeGreaterThan(2);
        expect(clamped, `${design}: clamps on ${tile}`).toBe(0);
      }
    }
  });

  test('a clamp would be seen', async () => {
    const wgsl = `
@group(0) @binding(0) var<storage, read_write> y: array<u32>;
var<workgroup> tile: array<u32, 48>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) i: u32) {
  tile[i] = i;
  workgroupBarrier();
  y[i] = tile[y[i]];
}`;
    const [dump = ''] = await dumpSpirv(ADAPTERS[name], [wgsl]);
    expect(clampsOf(dump, 'tile')).toEqual({ accesses: 2, clamped: 2 });
  });
});
