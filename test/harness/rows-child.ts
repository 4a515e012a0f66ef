/**
 * A process of its own that takes one picture through the host frame with networks that can be
 * predicted; to be killed, or to be measured. Bundled and started by `startRows`.
 *
 *   argv   JSON of ChildOptions
 *   stdout one JSON object per line: { tiles } per batch, { note } and at the end { done, maxRss }
 */
import { setTimeout } from 'node:timers/promises';
import { upscaleToFile } from '../../src/cli/upscale-to-file.ts';
import { fakeNetworks } from './fake-networks.ts';

export interface ChildOptions {
  readonly input: string;
  readonly output: string;
  readonly tile: number;
  readonly scale: number;
  readonly colorFix: 'none' | 'wavelet' | 'ycbcr';
  /** Per batch, so that a kill falls between two of them. */
  readonly delayMs: number;
  readonly key?: string;
  readonly resume?: boolean;
}

const say = (object: object): void => void process.stdout.write(`${JSON.stringify(object)}\n`);

const options = JSON.parse(process.argv[2] ?? '') as ChildOptions;
const { input, output, tile, scale, colorFix, delayMs, key = 'fake', resume = true } = options;
let tiles = 0;
const patches = fakeNetworks({
  tile,
  error: ({ y, x }, i, j) => 0.1 * Math.sin((y | 0) + 3 * (x | 0) + 0.05 * i + 0.11 * j),
  onBatch: async ({ count }) => {
    tiles += count;
    say({ tiles });
    if (delayMs > 0) await setTimeout(delayMs);
  },
});
const result = await upscaleToFile(
  {
    input,
    output,
    scale,
    depth: 'auto',
    resume,
    settings: { model: 'fake', scale },
  },
  {
    networks: async () => ({
      patches,
      tiling: { tile, tileBatch: 2, overlap: 0.125, colorFix },
      key,
    }),
    onNote: (note) => say({ note }),
    onProgress: ({ stage, done }) =>
      stage === 'finish' && say({ stage, done, maxRss: process.resourceUsage().maxRSS * 1024 }),
  },
);
say({ done: result, maxRss: process.resourceUsage().maxRSS * 1024 });
