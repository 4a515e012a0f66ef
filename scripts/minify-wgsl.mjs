/**
 * A plugin of rolldown's: kernels without the comments, the indentation and the spaces of their WGSL, for the page.
 *
 *   `\n  let a = 1;   // why\n\n  let b = 2;`  →  `\nlet a=1;\nlet b=2;`
 *
 * Works on the template literals of src/kernels and of what writes WGSL beside it; on spaces only where a
 * literal has several lines, as sentences have not. Lines stay lines, so that compile errors quote what was
 * compiled; every text has the same tokens (test/unit/minify-wgsl.test.ts compares all kernels with their source).
 */
import { readFileSync } from 'node:fs';
import { parseSync, Visitor } from 'vite';

/** A comment that goes on in an interpolated value, or has an escape, stays as it is: its end is not in sight. */
const COMMENT = /(^|\s)(?:\/\/[^\n\\]*(?=\n)|\/\*[^\\]*?\*\/)/g;

/** A space beside a sign, unless there is one on both sides: `a - -b`. */
const SPACE = /(?<=[\w)\]}]) (?=[^\w\s$])|(?<=[^\w\s]) (?=[\w([{])/g;

/** The raw text of one piece of a template literal; `hasLines`: of one with several lines. */
function minifyPiece(raw, { hasLines }) {
  const lines = raw
    .replace(COMMENT, '$1')
    .replace(/[ \t]*\n\s*/g, '\n')
    .replace(/ {2,}/g, ' ');
  // The preprocessor's directives are words.
  return hasLines ? lines.replace(/^(?!#).+$/gm, (line) => line.replace(SPACE, '')) : lines;
}

/** TypeScript with its template literals minified. */
export function minifyTemplates(path, text) {
  const { program, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0].message}`);
  const pieces = [];
  new Visitor({
    TemplateLiteral({ quasis }) {
      const hasLines = quasis.some(({ value }) => value.raw.includes('\n'));
      for (const { start, value } of quasis) pieces.push({ start, value, hasLines });
    },
  }).visit(program);
  let result = '';
  let end = 0;
  for (const { start, value, hasLines } of pieces.toSorted((a, b) => a.start - b.start)) {
    // Parsers disagree whether the delimiters belong to a piece.
    const at = text.indexOf(value.raw, start);
    if (at > start + 1) throw new Error(`${path}: a template literal is not where it should be`);
    result += text.slice(end, at) + minifyPiece(value.raw, { hasLines });
    end = at + value.raw.length;
  }
  return result + text.slice(end);
}

export const minifyWgslPlugin = {
  name: 'minify-wgsl',
  load: {
    filter: { id: /[/\\]src[/\\](?:kernels|engine)[/\\][\w-]+\.ts$/ },
    handler: (id) => minifyTemplates(id, readFileSync(id, 'utf8')),
  },
};
