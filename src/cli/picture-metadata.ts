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
import { VERSION } from '../version.ts';
import { escape, type VipsField } from './vips-file.ts';

/** What makes the picture again. */
export type Settings = Readonly<Record<string, string | number | boolean | readonly number[]>>;

/** Fields of the input that are right for the result as well. */
const KEPT = /^(?:exif-|icc-profile-data$|iptc-data$|png-comment-)/;

const DIGITAL_SOURCE =
  'http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia';

const TOOL = `invsr-webgpu ${VERSION}`;

/** Without metadata only the profile is left: without it the colours would be others. */
export const profileOnly = (input: readonly VipsField[]): VipsField[] =>
  input.filter(({ name }) => name === 'icc-profile-data');

export function resultFields(input: readonly VipsField[], settings: Settings): VipsField[] {
  const kept = input.filter(
    ({ name }) => KEPT.test(name) && name !== SOFTWARE && name !== 'exif-ifd0-Orientation',
  );
  const texts = kept.filter(({ name }) => name.startsWith('png-comment-')).length;
  const note = noteOf(settings);
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
      text: toBase64(withOurXmp(xmpOf(input), settings, note)),
    },
    { type: 'gint', name: 'orientation', text: '1' },
  ];
}

const SOFTWARE = 'exif-ifd0-Software';

function noteOf(settings: Settings): string {
  const facts = Object.entries(settings).map(
    ([name, value]) => `${name} ${Array.isArray(value) ? value.join('/') : String(value)}`,
  );
  return `AI-upscaled: a neural network (InvSR) added detail; ${facts.join(', ')}`;
}

const toBase64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');

const xmpOf = (fields: readonly VipsField[]): string | undefined => {
  const field = fields.find(({ name }) => name === 'xmp-data');
  return field && Buffer.from(field.text, 'base64').toString('utf8');
};

/** A description of ours beside those that are there; a packet of its own where there is none. */
function withOurXmp(existing: string | undefined, settings: Settings, note: string): string {
  const ours = `<rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    xmlns:invsr="https://arxiv.org/abs/2412.09013#"
    xmp:CreatorTool="${escape(TOOL)}"
    Iptc4xmpExt:DigitalSourceType="${DIGITAL_SOURCE}"
    invsr:Note="${escape(note)}"
    invsr:Settings="${escape(JSON.stringify(settings))}"/>`;
  const end = existing?.lastIndexOf('</rdf:RDF>') ?? -1;
  if (existing !== undefined && end >= 0) {
    const theirs = existing
      .slice(0, end)
      .replaceAll(/\s(?:xmp:CreatorTool|Iptc4xmpExt:DigitalSourceType)="[^"]*"/g, '')
      .replaceAll(/<(xmp:CreatorTool|Iptc4xmpExt:DigitalSourceType)>[^<]*<\/\1>/g, '')
      // The pixels are upright now.
      .replaceAll(/\stiff:Orientation="\d"/g, '')
      .replaceAll(/<tiff:Orientation>\d<\/tiff:Orientation>/g, '');
    return `${theirs}${ours}\n${existing.slice(end)}`;
  }
  return `<?xpacket begin="\uFEFF" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
${ours}
</rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>`;
}
