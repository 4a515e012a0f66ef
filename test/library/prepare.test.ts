/** What a call finds ready: an application may have lost its network since `prepare`. */
import { expect, test, vi } from 'vitest';
import { InvSR } from '../../src/library/invsr.ts';
import { nodeFolder } from '../../src/weights/node-file.ts';
import { adapterNames, openTestDevice } from '../harness/device.ts';

const loaded = vi.hoisted(() => vi.fn<() => void>());
vi.mock('../../src/library/growing.ts', (original) => {
  loaded();
  return original();
});

test('the code of `onTile` comes with `prepare`', async () => {
  const { device } = await openTestDevice(adapterNames.at(-1) ?? 'swiftshader');
  const sr = await InvSR.open({ device, weights: nodeFolder('weights/invsr-nano') });
  try {
    expect(loaded).not.toHaveBeenCalled();
    await sr.prepare({ width: 16, height: 16 }, { tile: 16 });
    expect(loaded).toHaveBeenCalledOnce();
  } finally {
    sr.dispose();
    device.destroy();
  }
});
