/** The viewer's geometry: where pictures lie, what zoom and pan keep, what is visible. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  clampView,
  fitView,
  moveView,
  originOf,
  panesOf,
  regionBetween,
  toInput,
  toPane,
  viewBetween,
  visibleRegion,
} from '../../demo/viewer/view.ts';

const stage = {
  picture: { width: 300, height: 200 },
  scale: 4,
  pane: { width: 640, height: 480 },
};

describe('a view', () => {
  test('that fits shows all of the picture, touching two borders', () => {
    const view = fitView(stage);
    expect(view.zoom).toBeCloseTo(640 / 1200, 12);
    expect(visibleRegion(view, stage)).toEqual({ x: 0, y: 0, width: 300, height: 200 });
    expect(originOf(view, stage)).toEqual({ x: 0, y: (480 - (200 * 640) / 300) / 2 });
  });

  test('of a tiny picture is not blown up without end', () => {
    expect(fitView({ ...stage, picture: { width: 8, height: 8 } }).zoom).toBe(4);
  });

  test('leaves no margin where the picture is larger than the pane, and centres it where not', () => {
    const view = clampView({ x: -50, y: 0, zoom: 0.55 }, stage);
    expect(originOf(view, stage).x).toBeCloseTo(0, 9);
    expect(view.y).toBe(100);
    expect(clampView({ x: 999, y: 0, zoom: 0.55 }, stage).x).toBeCloseTo(300 - 640 / 2 / 2.2, 9);
    expect(clampView({ x: 0, y: 0, zoom: 1e-3 }, stage)).toEqual(fitView(stage));
    expect(clampView({ x: 0, y: 0, zoom: 1e3 }, stage).zoom).toBe(32);
  });

  test('zooms about the pointer, and moves with it', () => {
    const view = { x: 150, y: 100, zoom: 1.5 };
    const from = { x: 200, y: 130 };
    const fixed = toInput(from, view, stage);
    for (const [to, zoom] of [
      [from, 3.7],
      [{ x: 230, y: 90 }, 1.5],
      [{ x: 180, y: 140 }, 2.3],
    ] as const) {
      const next = moveView(view, stage, from, to, zoom);
      const at = toPane(fixed, next, stage);
      expect(next.zoom).toBe(zoom);
      expect(at.x).toBeCloseTo(to.x, 9);
      expect(at.y).toBeCloseTo(to.y, 9);
    }
  });

  test('at 1:1 begins on a whole device pixel', () => {
    const origin = originOf({ x: 150.037, y: 99.99, zoom: 1 }, stage);
    expect(origin).toEqual({ x: Math.round(320 - 600.148), y: Math.round(240 - 399.96) });
  });

  test('at 1:1 moves by less than a pixel, too', () => {
    let view = { x: 150, y: 100, zoom: 1 };
    for (let i = 0; i < 10; i++) view = moveView(view, stage, { x: 9, y: 9 }, { x: 9.4, y: 9 }, 1);
    expect(view.x).toBeCloseTo(149, 9);
  });

  test('between two others keeps the point that both have at the same place', () => {
    const from = { x: 150, y: 100, zoom: 1.5 };
    const pointer = { x: 200, y: 130 };
    const to = moveView(from, stage, pointer, pointer, 6.5);
    const fixed = toInput(pointer, from, stage);
    expect(viewBetween(from, to, 0)).toEqual(from);
    expect(viewBetween(from, to, 1)).toEqual(to);
    const at = toPane(fixed, viewBetween(from, to, 0.3), stage);
    expect(at.x).toBeCloseTo(pointer.x, 9);
    expect(at.y).toBeCloseTo(pointer.y, 9);
    const pan = viewBetween({ x: 10, y: 20, zoom: 2 }, { x: 20, y: 40, zoom: 2 }, 0.5);
    expect(pan).toEqual({ x: 15, y: 30, zoom: 2 });
  });
});

test('the visible region is whole pixels, outwards, and exact where pixels end at the border', () => {
  // 160 x 120 input pixels are seen at 1:1.
  expect(visibleRegion({ x: 100, y: 90, zoom: 1 }, stage)).toEqual({
    x: 20,
    y: 30,
    width: 160,
    height: 120,
  });
  expect(visibleRegion({ x: 100.5, y: 90.5, zoom: 1 }, stage)).toEqual({
    x: 20,
    y: 30,
    width: 161,
    height: 121,
  });
});

test('two panes lie beside each other on a wide canvas, above each other on a narrow one', () => {
  expect(panesOf('slider', { width: 801, height: 600 })).toEqual({
    pane: { width: 801, height: 600 },
    second: { x: 0, y: 0 },
  });
  expect(panesOf('side', { width: 801, height: 600 })).toEqual({
    pane: { width: 400, height: 600 },
    second: { x: 401, y: 0 },
  });
  expect(panesOf('side', { width: 390, height: 844 })).toEqual({
    pane: { width: 390, height: 422 },
    second: { x: 0, y: 422 },
  });
});

test('a region is at least one pixel, within the picture, whichever corner comes first', () => {
  const { picture } = stage;
  expect(regionBetween({ x: 50.4, y: 60.6 }, { x: 10, y: 20 }, picture)).toEqual({
    x: 10,
    y: 20,
    width: 40,
    height: 41,
  });
  expect(regionBetween({ x: -9, y: 250 }, { x: 400, y: 300 }, picture)).toEqual({
    x: 0,
    y: 199,
    width: 300,
    height: 1,
  });
  expect(regionBetween({ x: 7, y: 7 }, { x: 7, y: 7 }, picture)).toEqual({
    x: 7,
    y: 7,
    width: 1,
    height: 1,
  });
});

test('the viewer stands alone: of src it imports types, and of packages nothing', () => {
  const folder = 'demo/viewer';
  const files = readdirSync(folder).filter((file) => file.endsWith('.ts'));
  const imports = files.flatMap((file) => [
    ...readFileSync(`${folder}/${file}`, 'utf8').matchAll(/^import(?! type).*? from '([^']+)';/gms),
  ]);
  expect(imports.length).toBeGreaterThan(20);
  expect(imports.map(([, from]) => from).filter((from) => !from?.startsWith('./'))).toEqual([]);
});
