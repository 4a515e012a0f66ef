/**
 * A candidate's admission: it compiles, runs over noise, and some pixels of what it gives agree with
 * the f64 reference. Only such a design may win.
 */
import type { EngineContext } from '../engine/context.ts';
import { byteLength, sizeOf } from '../engine/kernel.ts';
import type { Plan } from '../engine/plan.ts';
import { readRanges } from '../engine/readback.ts';
import type { Buffers } from '../invsr/buffers.ts';
import { toSingle } from '../weights/half.ts';
import { openRuns, type Runs } from './clock.ts';
import { type Reference, samplePixels } from './sampled-reference.ts';
import { nmse } from './tolerance.ts';

/** Pixels to compare, each with all its channels. */
const PIXELS = 24;

export interface Candidate extends Runs {
  readonly design: string;
  dispose(): void;
}

/** The reference's values of some pixels, computed once for all candidates. */
export type Expectation = (pixels: readonly number[], channels: number) => Float32Array;

export function expectationOf(reference: Reference): Expectation {
  let known: Float32Array | undefined;
  return (pixels, channels) => {
    if (known) return known;
    known = new Float32Array(pixels.length * channels);
    for (const [i, pixel] of pixels.entries()) known.set(reference.expected(pixel), i * channels);
    return known;
  };
}

export interface Admission {
  readonly design: string;
  readonly plan: Plan;
  readonly reference: Reference;
  readonly expected: Expectation;
  /** Holds the reference's inputs. */
  readonly buffers: Buffers;
  readonly signal?: AbortSignal | undefined;
}

/** The design, ready to be timed; rejects where it does not compile or gives wrong values. */
export async function admit(
  context: EngineContext,
  { design, plan, reference, expected, buffers, signal }: Admission,
): Promise<Candidate> {
  const type = plan.externals['output'];
  if (!type) throw new Error(`${design} has no output`);
  const channels = type.shape.at(-1) ?? 0;
  const pixels = samplePixels(sizeOf(type.shape) / channels, PIXELS);
  const rowBytes = byteLength({ dtype: type.dtype, shape: [channels] });
  const rows = pixels.map((pixel) => ({ offset: pixel * rowBytes, bytes: rowBytes }));
  await buffers.create('output', byteLength(type));
  // NaN in either type: what is not written shows.
  for (const { offset, bytes } of rows) {
    await buffers.write('output', new Uint8Array(bytes).fill(0xff), offset);
  }
  const runs = await openRuns(context, plan, { buffers, signal });
  try {
    const read = await readRanges(context.device, buffers.at('output'), rows);
    const actual = read.flatMap((bytes) => [
      ...(type.dtype === 'f16' ? toSingle(new Uint16Array(bytes)) : new Float32Array(bytes)),
    ]);
    const error = nmse(actual, expected(pixels, channels));
    const limit = reference.maxNmse(design);
    if (error <= limit) return { design, ...runs };
    throw new Error(
      `wrong values: NMSE ${error.toPrecision(2)}, at most ${limit.toPrecision(2)} is right`,
    );
  } catch (error) {
    runs.dispose();
    throw error;
  }
}
