/** Markup as text: SVG and HTML elements with everything escaped that comes from records. */

export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

export const escape = (text: string): string =>
  text.replace(/[&<>"]/g, (character) => ESCAPES[character] ?? '');

/** Coordinates need a tenth of a pixel, not sixteen digits. */
const valueOf = (value: string | number): string =>
  typeof value === 'number' ? String(Math.round(value * 100) / 100) : escape(value);

/** Elements of HTML that have no end tag. */
const VOID = new Set(['br', 'input']);

/** `<name a="1">children</name>`; children are markup already. Attributes that are undefined or false go. */
export function tag(name: string, attributes: Attributes, ...children: readonly string[]): string {
  const written = Object.entries(attributes).map(([key, value]) =>
    value === undefined || value === false
      ? ''
      : value === true
        ? ` ${key}`
        : ` ${key}="${valueOf(value)}"`,
  );
  const start = `<${name}${written.join('')}>`;
  return VOID.has(name) ? start : `${start}${children.join('')}</${name}>`;
}

/** `tag` around text, which is escaped. */
export const textTag = (name: string, attributes: Attributes, text: string): string =>
  tag(name, attributes, escape(text));
