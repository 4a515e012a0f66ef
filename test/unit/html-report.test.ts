/** The report holds all of a record and nothing of the network; its charts stand alone as files. */
import { Script } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { chartFiles, lastKernelRecord } from '../../bench/chart-svg.ts';
import { familyOf } from '../../bench/charts/families.ts';
import { boxOf, CHARACTER, placeLabels } from '../../bench/charts/labels.ts';
import { layerSpans, levelsOf } from '../../bench/charts/layers.ts';
import { peerRatio } from '../../bench/charts/rows.ts';
import { linearTicks, logTicks } from '../../bench/charts/scale.ts';
import { htmlReport } from '../../bench/html-report.ts';
import type { KernelRecord, KernelRow } from '../../bench/record.ts';
import { kernelRecord, profileRecord } from '../harness/bench-records.ts';

const VOID = new Set(['meta', 'link', 'input', 'br']);

/** Names of the elements in order of their beginnings; throws where one does not end. */
function elementsOf(markup: string): string[] {
  const names: string[] = [];
  const open: string[] = [];
  const text = markup
    .replace(/^<!doctype html>/, '')
    .replace(/(<(?:script|style)[^>]*>)[^]*?(?=<\/)/g, '$1');
  for (const [, slash, name = '', rest = ''] of text.matchAll(
    /<(\/?)([a-zA-Z0-9]+)((?:"[^"]*"|[^">])*)>/g,
  )) {
    if (slash) {
      if (open.pop() !== name) throw new Error(`</${name}> ends nothing, open: ${open.join(' ')}`);
      continue;
    }
    names.push(name);
    if (!VOID.has(name) && !rest.endsWith('/')) open.push(name);
  }
  if (open.length > 0) throw new Error(`not ended: ${open.join(' ')}`);
  return names;
}

const withoutPeers = (rows: readonly KernelRow[]): KernelRow[] =>
  JSON.parse(JSON.stringify(rows, (key, value: unknown) => (key === 'peer' ? undefined : value)));

const count = (text: string, part: RegExp): number => [...text.matchAll(part)].length;

/** Whatever a browser would fetch. */
const FETCHED =
  /\b(?:src|href|srcset|action)\s*=\s*"(?!data:|#)|url\(|@import|\bfetch\(|https?:(?!\/\/www\.w3\.org\/2000\/svg")/i;

describe('htmlReport', () => {
  const html = htmlReport({ kernels: kernelRecord, profiles: [profileRecord] });

  test('is whole, and fetches nothing', () => {
    expect(elementsOf(html)).toContain('table');
    expect(FETCHED.exec(html)).toBeNull();
    expect(FETCHED.test('<img src="x.png">')).toBe(true); // it can fail
    expect(html).toContain("default-src 'none'");
  });

  test('has every row in chart, table and details, and every dispatch', () => {
    for (const [i, row] of kernelRecord.rows.entries()) {
      expect(count(html, new RegExp(`<path class="mark [^>]*data-row="${i}"`, 'g'))).toBe(2); // wide, narrow
      expect(count(html, new RegExp(`<tr data-row="${i}"`, 'g'))).toBe(1);
      expect(count(html, new RegExp(`<template data-detail="${i}"`, 'g'))).toBe(1);
      expect(html).toContain(row.variant);
    }
    const compared = kernelRecord.rows.filter(({ peer }) => peer);
    expect(count(html, /<g class="peer"/g)).toBe(2 * compared.length);
    expect(count(html, /<div class="bar-d /g)).toBe(profileRecord.dispatches.length);
    for (const { path } of profileRecord.dispatches) expect(html).toContain(`data-path="${path}"`);
    expect(html).toContain('the device has no room for it');
  });

  test('marks lie within their chart', () => {
    const [chart = ''] =
      /<svg class="chart roofline" viewBox="0 0 860 520"[^]*?<\/svg>/.exec(html) ?? [];
    const starts = [...chart.matchAll(/d="M([\d.-]+) ([\d.-]+)/g)];
    expect(starts).toHaveLength(kernelRecord.rows.length);
    for (const [, x, y] of starts) {
      expect(Number(x)).toBeGreaterThan(20);
      expect(Number(x)).toBeLessThan(860);
      expect(Number(y)).toBeGreaterThan(0);
      expect(Number(y)).toBeLessThan(520);
    }
  });

  test('what a record says is text, never markup', () => {
    const adapter = '<script>alert("x")</script> & Sons';
    const hostile = htmlReport({
      kernels: { ...kernelRecord, machine: { ...kernelRecord.machine, adapter } },
    });
    expect(hostile).not.toContain('<script>alert');
    expect(hostile).toContain('&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; Sons');
    elementsOf(hostile);
  });

  test('scripts parse', () => {
    const [, script = ''] = /<script>([^]*?)<\/script>/.exec(html) ?? [];
    expect(script.length).toBeGreaterThan(1000);
    expect(() => new Script(script)).not.toThrow();
  });

  test('a record alone, a profile alone, and neither', () => {
    expect(htmlReport({ kernels: kernelRecord })).not.toContain('class="scroller"');
    expect(htmlReport({ profiles: [profileRecord] })).not.toContain('<table');
    expect(() => htmlReport({})).toThrow('a report needs a record');
  });

  test('a ratio is of our runs in turns with the peer, not of others', () => {
    const milliseconds = { p10: 2, median: 3, p90: 4, runs: 5 };
    const [row] = kernelRecord.rows.filter(({ peer }) => peer);
    const peer = { ...row!.peer!, milliseconds, ours: { p10: 1, median: 1.5, p90: 2, runs: 5 } };
    expect(peerRatio({ ...row!, peer })).toEqual({ median: 2, low: 1, high: 4 });
  });

  test('a row without its peer says why', () => {
    const [first, ...rows] = kernelRecord.rows;
    const { peer: _, ...alone } = first!;
    const noPeer = 'NHWC: differs from ours';
    const html = htmlReport({
      kernels: { ...kernelRecord, rows: [{ ...alone, noPeer }, ...rows] },
    });
    expect(html).toContain(`<dd>${noPeer}</dd>`);
    expect(html).toContain('Rows without a figure of the peer: 1;');
  });

  test('what is not there is not made up', () => {
    const { matrixGflops: _, f16Gflops: __, ...ceilings } = kernelRecord.ceilings;
    const rows = withoutPeers(kernelRecord.rows);
    const lesser: KernelRecord = {
      ...kernelRecord,
      ceilings,
      rows,
      incomplete: 'the device was lost',
    };
    const html = htmlReport({ kernels: lesser });
    expect(html).not.toContain('Against the peer');
    expect(html).not.toContain('subgroup matrices 60.0');
    expect(html).not.toContain('NaN');
    expect(html).toContain('Not complete: the device was lost.');
    expect(htmlReport({ kernels: { ...kernelRecord, rows: [] } })).not.toMatch(/NaN|Infinity/);
  });
});

describe('chartFiles', () => {
  test('are whole SVG files that fetch nothing', () => {
    const files = chartFiles(kernelRecord);
    expect([...files.keys()]).toEqual(['roofline.svg', 'peers.svg']);
    for (const text of files.values()) {
      expect(elementsOf(text)[0]).toBe('svg');
      expect(text).toContain('xmlns="http://www.w3.org/2000/svg"');
      expect(FETCHED.exec(text)).toBeNull();
      expect(text).toContain('Fixture 9000');
    }
    expect(count(files.get('roofline.svg') ?? '', /data-row=/g)).toBe(kernelRecord.rows.length);
  });

  test('no peers, no picture of them', () => {
    const rows = withoutPeers(kernelRecord.rows);
    expect([...chartFiles({ ...kernelRecord, rows }).keys()]).toEqual(['roofline.svg']);
  });

  test('the last record of a file with several', () => {
    const lines = [{ bench: 'model' }, kernelRecord, { ...kernelRecord, precision: 'f32' }];
    const text = lines.map((line) => JSON.stringify(line)).join('\n');
    expect(lastKernelRecord(text, 'x.json').precision).toBe('f32');
    expect(() => lastKernelRecord('{"bench":"model"}\nnot json', 'x.json')).toThrow(
      'x.json has no record of kernels',
    );
  });
});

test('layers become spans of neighbours', () => {
  expect(levelsOf('unet.down_blocks.0.attentions.1.norm')).toEqual([
    'unet',
    'down_blocks.0',
    'attentions.1',
  ]);
  expect(levelsOf('noise_predictor.encoder.conv_in')).toEqual(['noise_predictor', 'conv_in']);
  expect(levelsOf('vae.encoder.mid_block.resnets.0.conv1')).toEqual([
    'vae.encoder',
    'mid_block',
    'resnets.0',
  ]);
  expect(levelsOf('step0.latents')).toEqual(['other', 'step0', 'latents']);
  const networks = layerSpans(profileRecord.dispatches).filter(({ level }) => level === 0);
  expect(networks.map(({ label }) => label)).toEqual([
    'other',
    'noise_predictor',
    'vae.encoder',
    'unet',
    'vae.decoder',
    'other',
  ]);
  expect(networks.reduce((sum, { dispatches }) => sum + dispatches, 0)).toBe(
    profileRecord.dispatches.length,
  );
});

test('ops have their families', () => {
  expect(
    ['conv2d', 'upsampleConv2d', 'linear', 'attention', 'groupNormApply'].map(familyOf),
  ).toEqual(['conv', 'upsample', 'linear', 'attention', 'norm']);
  // Noise is not a norm.
  expect(['normalNoise', 'affine', 'geglu'].map(familyOf)).toEqual(['other', 'other', 'other']);
});

test('ticks are round and within', () => {
  expect(logTicks([0.3, 7])).toEqual([0.5, 1, 2, 5]);
  expect(logTicks([3, 5000])).toEqual([10, 100, 1000]);
  expect(linearTicks(1.94, 8)).toHaveLength(4);
  expect(linearTicks(1.94, 8)[1]).toBe(0.5);
});

test('names of marks keep apart, and far ones have a line', () => {
  const bounds = { left: 0, top: 0, right: 400, bottom: 300 };
  const marks = [0, 1, 2, 3, 4].map((i) => ({ text: `mark ${i}`, x: 200 + i, y: 150, radius: 6 }));
  const taken = marks.map(({ x, y, radius: r }) => ({
    left: x - r,
    right: x + r,
    top: y - r,
    bottom: y + r,
  }));
  const markup = placeLabels(marks, { taken, bounds }).join('');
  const boxes = [...markup.matchAll(/<text x="([\d.]+)" y="([\d.]+)">(.*?)</g)].map(
    ([, x, y, text = '']) => boxOf(Number(x), Number(y), CHARACTER * text.length),
  );
  expect(boxes).toHaveLength(marks.length);
  expect(count(markup, /class="leader"/g)).toBeGreaterThan(0);
  for (const [i, a] of boxes.entries()) {
    expect(a.left).toBeGreaterThanOrEqual(0);
    for (const b of [...boxes.slice(i + 1), ...taken]) {
      const apart =
        a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
      expect(apart).toBe(true);
    }
  }
  const [alone = ''] = placeLabels(marks.slice(0, 1), { taken: taken.slice(0, 1), bounds });
  expect(alone).toBe('<text x="211" y="154">mark 0</text>');
});
