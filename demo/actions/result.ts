/** The result as a file. */
import { FileSizeError, type SaveOptions } from '../picture/encode.ts';
import { encode, type EncodeOptions } from '../picture/encoder.ts';
import * as app from '../state/app.ts';
import { fewerPixels } from '../state/file-area.ts';
import { startOf } from '../state/options.ts';
import { areaOf } from '../state/regions.ts';
import { currentSession } from './current-session.ts';

/**
 * Encoded, with its settings. Errors of `encode`, PictureError where it has changed meanwhile; smaller files are offered
 * after FileSizeError.
 */
export async function encodeResult(how: SaveOptions, options: EncodeOptions): Promise<Blob> {
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
  const request = { photo, metadata, settings, how };
  return encode(request, surface.sheets.reader(), options).catch((error: unknown) => {
    if (error instanceof FileSizeError) app.filePixels.value = fewerPixels(areaOf(error.size));
    throw error;
  });
}
