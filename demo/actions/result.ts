/** The result as a file. */
import type { SaveOptions } from '../picture/encode.ts';
import { encode } from '../picture/encoder.ts';
import * as app from '../state/app.ts';
import { startOf } from '../state/options.ts';
import { currentSession } from './current-session.ts';

/** Encoded, with its settings. */
export async function encodeResult(how: SaveOptions): Promise<Blob> {
  const { value: picture } = app.picture;
  const { value: result } = app.result;
  const surface = currentSession()?.surface;
  if (!picture || !result || !surface) throw new Error('there is no result yet');
  const { steps, seed, colorFix, tile, overlap } = result.options;
  const settings = {
    model: result.model,
    startTimestep: startOf(result.options),
    steps,
    seed,
    colorFix,
    tile,
    overlap,
  };
  const { bitmap: photo, metadata } = picture;
  const sharp = surface.sheets.bitmaps(how.region);
  const blob = await encode({ photo, metadata, settings, how }, sharp);
  if (currentSession()?.surface !== surface) throw new Error('another photo was opened meanwhile');
  return blob;
}
