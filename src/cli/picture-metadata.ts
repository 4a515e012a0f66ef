/**
 * What a result says about itself: the input's EXIF, ICC profile, IPTC and XMP as they were, except
 * for orientation and size, and that a network made it, from which settings.
 *
 *   EXIF   Software                      invsr-webgpu <version>, AI-upscaled
 *   XMP    xmp:CreatorTool               invsr-webgpu <version>
 *          Iptc4xmpExt:DigitalSourceType compositeWithTrainedAlgorithmicMedia: a network added detail
 *          invsr:Note, invsr:Settings    in plain words; settings as JSON
 *   PNG    Software, Comment             the same, for viewers that show text chunks only
 */
import { resultNote, resultXmp, type Settings } from '../library/result-note.ts';
import { VERSION } from '../version.ts';
import type { VipsField } from './vips-file.ts';

/** Fields of the input that are right for the result as well. */
const KEPT = /^(?:exif-|icc-profile-data$|iptc-data$|png-comment-)/;

const TOOL = `invsr-webgpu ${VERSION}`;

/** Without metadata only the profile is left: without it the colours would be others. */
export const profileOnly = (input: readonly VipsField[]): VipsField[] =>
  input.filter(({ name }) => name === 'icc-profile-data');

export function resultFields(input: readonly VipsField[], settings: Settings): VipsField[] {
  const kept = input.filter(
    ({ name }) => KEPT.test(name) && name !== SOFTWARE && name !== 'exif-ifd0-Orientation',
  );
  const texts = kept.filter(({ name }) => name.startsWith('png-comment-')).length;
  const note = resultNote(settings);
  const text = (name: string, value: string): VipsField => ({
    type: 'VipsRefString',
    name,
    text: value,
  });
  return [
    ...kept,
    text(SOFTWARE, `${TOOL}, AI-upscaled`),
    text(`png-comment-${texts}-Software`, TOOL),
    text(`png-comment-${texts + 1}-Comment`, note),
    {
      type: 'VipsBlob',
      name: 'xmp-data',
      text: toBase64(resultXmp(xmpOf(input), { settings, tool: TOOL })),
    },
    { type: 'gint', name: 'orientation', text: '1' },
  ];
}

const SOFTWARE = 'exif-ifd0-Software';

const toBase64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');

const xmpOf = (fields: readonly VipsField[]): string | undefined => {
  const field = fields.find(({ name }) => name === 'xmp-data');
  return field && Buffer.from(field.text, 'base64').toString('utf8');
};
