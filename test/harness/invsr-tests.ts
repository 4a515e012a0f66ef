/** Class InvSR on somebody else's WebGPU, through test/browser/invsr-page.ts: all that needs no page. */
import { expect, test } from 'vitest';
import type { Site } from '../browser/site.ts';
import type { Calls } from './calls.ts';

export interface InvsrTests {
  readonly call: Calls<Window['app']>;
  readonly site: () => Site;
}

export function invsrTests({ call, site }: InvsrTests): void {
  test('from texture to texture nothing is mapped, and the bytes are those of upscalePixels', async () => {
    const result = await call('textureToTexture', site().tiny);
    expect(result).toEqual({ maps: 0, width: 64, height: 52, apart: 0 });
  });

  test('an abort in the middle: one submit is under way, none follows, and the next run is as ever', async () => {
    const { underWay, most, ...rest } = await call('abort', site().tiny);
    expect(rest).toEqual({ error: { name: 'Error', message: 'enough' }, later: 0, apart: 0 });
    expect(underWay).toBeLessThanOrEqual(1);
    expect(most).toBe(1);
  });

  test('dispose frees everything on the device', async () => {
    const { during, ...rest } = await call('dispose', site().tiny);
    expect(during).toBeGreaterThan(10);
    expect(rest).toMatchObject({
      left: [],
      asks: 0,
      memory: { weightBytes: 0, otherBytes: 0 },
      later: { name: 'AbortError' },
    });
  });

  test('a device lost in the middle: a typed error, and a new device works', async () => {
    const result = await call('lost', site().tiny);
    expect(result).toMatchObject({
      isTyped: true,
      asks: 0,
      error: { name: 'DeviceLostError' },
      bytes: 4 * 64 * 52,
    });
  });

  test('two instances at the same time on one device', async () => {
    expect(await call('two', site().tiny)).toEqual([0, 0]);
  });

  test('a device with default limits', async () => {
    expect(await call('smallLimits', site().tiny)).toBeLessThanOrEqual(1);
  });
}
