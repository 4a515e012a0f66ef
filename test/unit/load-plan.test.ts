/** Batches cover every byte of every tensor once, in order, within their limits. */
import { describe, expect, test } from 'vitest';
import { type LoadLimits, type LoadTensor, planLoad } from '../../src/graph/load-plan.ts';

const LIMITS: LoadLimits = {
  batchBytes: 2 ** 20,
  batchPieces: 8,
  isForDevice: () => true,
  deviceBytes: 0,
};

function tensor(
  layout: string,
  shape: readonly number[],
  { dtype = 'F16', to = 'f16', hasPlace = true }: Partial<LoadTensor> = {},
): LoadTensor {
  const size = dtype === 'F64' ? 8 : dtype === 'F32' ? 4 : 2;
  return { layout, to, dtype, shape, bytes: size * shape.reduce((a, b) => a * b), hasPlace };
}

const TENSORS: readonly LoadTensor[] = [
  tensor('vector', [1280], { to: 'f32' }),
  tensor('linear', [2560, 1280]),
  tensor('vector', [3], { to: 'f32' }),
  tensor('conv', [320, 640, 3, 3], { dtype: 'F32' }),
  tensor('phase', [64, 64, 3, 3]),
  tensor('conv', [320, 4, 3, 3]), // rows of 36: odd
  tensor('linear', [1280, 1280], { dtype: 'F64' }), // odd and larger than a batch
  tensor('rows', [1, 77, 1024], { hasPlace: false }),
  ...Array.from({ length: 30 }, () => tensor('vector', [7], { to: 'f32' })),
  tensor('linear', [8, 2 ** 17]), // eight rows are more than a batch
  tensor('linear', [320, 320], { to: 'f32' }),
];

describe('all kinds of tensors', () => {
  const batches = planLoad(TENSORS, LIMITS);
  const pieces = batches.flatMap((batch) => batch.pieces);

  test('every tensor once, whole, in order', () => {
    for (const [i, { bytes }] of TENSORS.entries()) {
      let end = 0;
      for (const piece of pieces.filter((piece) => piece.tensor === i)) {
        expect(piece.begin).toBe(end);
        end += piece.bytes;
      }
      expect(end).toBe(bytes);
    }
    const order = pieces.map((piece) => piece.tensor);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
  });

  test('pieces lie apart in their batches, aligned, within the limits', () => {
    for (const batch of batches) {
      expect(batch.bytes).toBeLessThanOrEqual(LIMITS.batchBytes);
      expect(batch.pieces.length).toBeLessThanOrEqual(LIMITS.batchPieces);
      let end = 0;
      for (const { way, offset, bytes } of batch.pieces) {
        if (way === 'whole') continue;
        expect(offset % 16).toBe(0);
        expect(offset).toBeGreaterThanOrEqual(end);
        end = offset + bytes;
      }
      expect(end).toBeLessThanOrEqual(batch.bytes);
    }
  });

  test('the device gets what its kernel takes, in eights of rows', () => {
    const ways = TENSORS.map((_, i) => pieces.find((piece) => piece.tensor === i)?.way);
    expect(ways.slice(0, 8)).toEqual([
      'host',
      'device',
      'host',
      'device',
      'device',
      'host',
      'whole',
      'whole',
    ]);
    expect(ways.slice(-2)).toEqual(['whole', 'host']);
    for (const { way, tensor, first, rows, begin, bytes } of pieces) {
      if (way !== 'device') continue;
      const { shape, bytes: all } = TENSORS[tensor]!;
      expect([first % 8, rows % 8]).toEqual([0, 0]);
      expect(begin).toBe((all / shape[0]!) * first);
      expect(bytes).toBe((all / shape[0]!) * rows);
    }
  });

  test('batches are nearly full', () => {
    const bytes = pieces.reduce((sum, piece) => sum + (piece.way === 'whole' ? 0 : piece.bytes), 0);
    // A batch ends where less than 256 KiB are left, or at its eighth piece.
    const full = batches.filter((batch) => batch.bytes >= LIMITS.batchBytes - 2 ** 18);
    expect(full.length).toBeGreaterThanOrEqual(Math.floor(bytes / LIMITS.batchBytes) - 1);
  });
});

const waysOf = (limits: LoadLimits): string[] => {
  const pieces = planLoad(TENSORS, limits).flatMap((batch) => batch.pieces);
  return TENSORS.slice(0, 5).map((_, i) => pieces.find(({ tensor }) => tensor === i)?.way ?? '');
};

test('what the device is not for: its rows are turned here', () => {
  const isForDevice = ({ layout }: LoadTensor) => layout === 'phase';
  expect(waysOf({ ...LIMITS, isForDevice })).toEqual(['host', 'rows', 'host', 'rows', 'device']);
});

test('too little for the device: all of it by the host', () => {
  const limits = { ...LIMITS, deviceBytes: 2 ** 30 };
  expect(waysOf(limits)).toEqual(['host', 'rows', 'host', 'rows', 'host']);
  const pieces = planLoad(TENSORS, limits).flatMap((batch) => batch.pieces);
  expect(pieces.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(
    TENSORS.reduce((sum, { bytes }) => sum + bytes, 0),
  );
});

test('nothing: no batches', () => {
  expect(planLoad([], LIMITS)).toEqual([]);
});
