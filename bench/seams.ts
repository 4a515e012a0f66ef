/**
 * `node scripts/seams.mjs`: how visible seams are, by overlap and by the shape in which tiles fade into each
 * other; rewrites the table of docs/seams.md. invsr-nano, on the sample pictures, mirrored into rows of
 * three tiles; the reference is the same row at half a tile of overlap.
 *
 *   step    the largest jump between two neighbouring columns of the overlap, of its mean |difference|
 *           over the rows, beyond the reference's at the same columns; in levels of 255
 *   change  mean and largest |blend − reference| over the overlaps, in levels of 255
 *   detail  mean |second difference| across the seam over the overlaps, relative to the reference:
 *           below 1 where two patches that disagree are averaged into a blur
 */
import { readFileSync, writeFileSync } from 'node:fs';
import sharp from 'sharp';
import { openContext } from '../src/graph/open-context.ts';
import { createDevice } from '../src/engine/node-device.ts';
import { modelFolder } from '../src/cli/models.ts';
import { upscaleRows } from '../src/invsr/host-frame.ts';
import { type HostPlan, planHost } from '../src/invsr/host-plan.ts';
import { openModel } from '../src/invsr/model.ts';
import { patchSource } from '../src/invsr/patch-source.ts';
import { pixelRows } from '../src/invsr/row-source.ts';
import type { PatchSource, TileBatch } from '../src/invsr/tile-source.ts';
import { tileGrid } from '../src/invsr/official-frame.ts';
import { TileNetworks } from '../src/invsr/tile-networks.ts';
import { evenGrid, type Ramp } from '../src/invsr/tiles.ts';
import { withDefaults } from '../src/invsr/upscale-settings.ts';

const TILE = 128;
/** LR pixels that two tiles share; the row's length, a multiple of 16, follows. */
const OVERLAPS = [0, 8, 16, 24, 32];
const FADES: Readonly<Record<string, Ramp | 'gaussian'>> = {
  'official Gaussian': 'gaussian',
  linear: { shape: 'linear', margin: 0 },
  cosine: { shape: 'cosine', margin: 0 },
  'cosine, margin 8': { shape: 'cosine', margin: 8 },
  'cosine, margin 16': { shape: 'cosine', margin: 16 },
};
const REFERENCE: Ramp = { shape: 'cosine', margin: 0 };
const PICTURES = ['garden-lr.png', 'still-life-lr.png'];

interface Image {
  readonly width: number;
  readonly height: number;
  /** [H, W, 3] in levels of 255. */
  readonly data: Float32Array;
}

const planOf = (overlap: number, fade: Ramp | 'gaussian'): HostPlan => {
  const width = overlap === TILE / 2 ? 3 * TILE : TILE + 2 * (TILE - overlap);
  const options = { tile: TILE, tileBatch: 1, overlap: overlap / TILE, colorFix: 'none' } as const;
  const size = { height: TILE, width };
  if (fade !== 'gaussian') return planHost(size, { ...options, ramp: fade });
  const stride = TILE - overlap;
  return { ...planHost(size, options), grid: tileGrid(size, { tile: TILE, stride, scale: 4 }) };
};

/** Patches by where they lie, so that each is computed once for all ways to blend it. */
function remembering(networks: PatchSource): PatchSource {
  const known = new Map<string, Float32Array>();
  return async function* (batches) {
    for await (const batch of batches) {
      const key = JSON.stringify(batch.latentOrigins);
      const one = async function* (): AsyncGenerator<TileBatch> {
        yield batch;
      };
      for await (const patch of known.has(key) ? [] : networks(one(), { count: 1 })) {
        known.set(key, patch);
      }
      yield known.get(key) ?? new Float32Array(0);
    }
  };
}

/** The picture mirrored along the row until it is three tiles long. */
async function mirrored(
  file: string,
): Promise<{ width: number; height: number; pixels: Uint8Array }> {
  const { data, info } = await sharp(`examples/images/${file}`)
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const width = 3 * TILE;
  const pixels = new Uint8Array(4 * width * TILE);
  for (let i = 0; i < width * TILE; i++) {
    const x = (i % width) % (2 * info.width);
    const from = Math.floor(i / width) * info.width + Math.min(x, 2 * info.width - 1 - x);
    pixels.set(data.subarray(4 * from, 4 * from + 4), 4 * i);
  }
  return { width, height: TILE, pixels };
}

async function blend(
  plan: HostPlan,
  picture: { width: number; height: number; pixels: Uint8Array },
  networks: PatchSource,
): Promise<Image> {
  const whole = pixelRows(picture);
  const { width } = plan.source;
  const source = {
    ...whole,
    width,
    read: async (first: number, count: number) => {
      const rows = await whole.read(first, count);
      const cut = new Float32Array(3 * width * count);
      for (let y = 0; y < count; y++) {
        const from = 3 * y * whole.width;
        cut.set(rows.subarray(from, from + 3 * width), 3 * y * width);
      }
      return cut;
    },
  };
  const { result } = plan;
  const data = new Float32Array(3 * result.width * result.height);
  for await (const rows of upscaleRows(plan, source, networks, { depth: 16 })) {
    data.set(
      Float32Array.from(rows.data, (v) => v / 257),
      3 * result.width * rows.first,
    );
  }
  return { ...result, data };
}

/** Mean over rows and channels of f at column x. */
function columnMean({ width, height }: Image, x: number, f: (i: number) => number): number {
  let sum = 0;
  for (let y = 0; y < height; y++) {
    for (let c = 0; c < 3; c++) sum += f(3 * (y * width + x) + c);
  }
  return sum / (3 * height);
}

function compare(blended: Image, reference: Image, overlap: number) {
  const at = ({ data }: Image, i: number): number => data[i] ?? 0;
  const first = (image: Image, x: number): number =>
    columnMean(image, x, (i) => Math.abs(at(image, i) - at(image, i - 3)));
  const second = (image: Image, x: number): number =>
    columnMean(image, x, (i) => Math.abs(at(image, i - 3) - 2 * at(image, i) + at(image, i + 3)));
  let [step, change, largest, detail, plain, columns] = [0, 0, 0, 0, 0, 0];
  const stride = 4 * (TILE - overlap);
  for (const start of [stride, 2 * stride]) {
    // Some columns around, where there is no overlap at all.
    for (let x = start - 4; x < start + 4 * overlap + 4; x++, columns++) {
      step = Math.max(step, first(blended, x) - first(reference, x));
      detail += second(blended, x);
      plain += second(reference, x);
      for (let y = 0; y < blended.height; y++) {
        for (let c = 0; c < 3; c++) {
          const a = at(blended, 3 * (y * blended.width + x) + c);
          const difference = Math.abs(a - at(reference, 3 * (y * reference.width + x) + c));
          change += difference / (3 * blended.height);
          largest = Math.max(largest, difference);
        }
      }
    }
  }
  return { step, change: change / columns, largest, detail: detail / plain };
}

/** LR pixels computed per LR pixel of the picture. */
function overdrawOf(overlap: number): number {
  const [width, height] = [1920, 1080];
  const grid = evenGrid({ width, height: 1088 }, { tile: TILE, overlap: overlap / TILE, scale: 4 });
  return (grid.tiles.length * TILE ** 2) / (width * height);
}

const { device } = await createDevice({ adapter: process.argv[2] ?? 'auto' });
const context = await openContext(device);
const model = await openModel(await modelFolder('invsr-nano'));
const tileNetworks = new TileNetworks(context, model, withDefaults({ tile: TILE }, context));
const cells = new Map<string, ReturnType<typeof compare>[]>();
for (const name of PICTURES) {
  const picture = await mirrored(name);
  const networks = remembering(patchSource(tileNetworks));
  const reference = await blend(planOf(TILE / 2, REFERENCE), picture, networks);
  for (const overlap of OVERLAPS) {
    for (const [fade, ramp] of Object.entries(FADES)) {
      const blended = await blend(planOf(overlap, ramp), picture, networks);
      const key = `${overlap} ${fade}`;
      cells.set(key, [...(cells.get(key) ?? []), compare(blended, reference, overlap)]);
      console.error(name, key, compare(blended, reference, overlap));
    }
  }
}
tileNetworks.dispose();
context.dispose();
await model.close();
device.destroy();

const rows = OVERLAPS.flatMap((overlap) =>
  Object.keys(FADES).map((fade) => {
    const found = cells.get(`${overlap} ${fade}`) ?? [];
    const of = (pick: (c: ReturnType<typeof compare>) => number): string =>
      found.map((c) => pick(c).toFixed(2)).join(' / ');
    const share = (overlap / TILE).toFixed(4).replace(/\.?0+$/, '');
    const facts = [
      of((c) => c.step),
      of((c) => c.change),
      of((c) => c.largest),
      of((c) => c.detail),
    ];
    return `| ${share} | ${overdrawOf(overlap).toFixed(2)} | ${fade} | ${facts.join(' | ')} |`;
  }),
);
const table = [
  '| overlap | overdraw at 1920x1080 | fade | step | mean change | largest change | detail |',
  '|---|---|---|---|---|---|---|',
  ...rows,
].join('\n');
const file = 'docs/seams.md';
const [before = '', rest = ''] = readFileSync(file, 'utf8').split('<!-- table -->');
const after = rest.split('<!-- end of table -->')[1] ?? '';
writeFileSync(file, `${before}<!-- table -->\n\n${table}\n\n<!-- end of table -->${after}`);
