/**
 * What a result says about itself, in words and as XMP; for the command line and for pages.
 *
 *   xmp:CreatorTool               the program and its version
 *   Iptc4xmpExt:DigitalSourceType compositeWithTrainedAlgorithmicMedia: a network added detail
 *   invsr:Note, invsr:Settings    in plain words; settings as JSON
 */
import { escapeXml } from './xml.ts';

/** What makes the picture again. */
export type Settings = Readonly<Record<string, string | number | boolean | readonly number[]>>;

const DIGITAL_SOURCE =
  'http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia';

/** In plain words. */
export function resultNote(settings: Settings): string {
  const facts = Object.entries(settings).map(
    ([name, value]) => `${name} ${Array.isArray(value) ? value.join('/') : String(value)}`,
  );
  return `AI-upscaled: a neural network (InvSR) added detail; ${facts.join(', ')}`;
}

/**
 * A description of ours beside those that are there; a packet of its own where there is none. `tool`
 * is the program with its version.
 */
export function resultXmp(
  existing: string | undefined,
  { settings, tool }: { readonly settings: Settings; readonly tool: string },
): string {
  const ours = `<rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    xmlns:invsr="https://arxiv.org/abs/2412.09013#"
    xmp:CreatorTool="${escapeXml(tool)}"
    Iptc4xmpExt:DigitalSourceType="${DIGITAL_SOURCE}"
    invsr:Note="${escapeXml(resultNote(settings))}"
    invsr:Settings="${escapeXml(JSON.stringify(settings))}"/>`;
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
