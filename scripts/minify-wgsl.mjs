/**
 * An esbuild plugin: kernels without the comments and the indentation of their WGSL, for the page.
 *
 *   `  let a = 1;   // why\n\n  let b = 2;`  →  ` let a = 1;\nlet b = 2;`
 *
 * Works on the template literals of src/kernels and of what writes WGSL beside it. One space or line break
 * always remains of several, and lines stay lines, so that every text has the same tokens and compile
 * errors quote what was compiled (test/unit/minify-wgsl.test.ts compares all kernels with their source).
 */
import { readFileSync } from 'node:fs';
import { parseSync, Visitor } from 'vite';

/** A comment that goes on in an interpolated value, or has an escape, stays as it is: its end is not in sight. */
const COMMENT = /(^|\s)(?:\/\/[^\n\\]*(?=\n)|\/\*[^\\]*?\*\/)/g;

/** The raw text of one piece of a template literal. */
export const minifyWgsl = (raw) =>
  raw
    .replace(COMMENT, '$1')
    .replace(/[ \t]*\n\s*/g, '\n')
    .replace(/ {2,}/g, ' ');

/** TypeScript with its template literals minified. */
export function minifyTemplates(path, text) {
  const { program, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0].message}`);
  const pieces = [];
  new Visitor({
    TemplateLiteral: ({ quasis }) => void pieces.push(...quasis),
  }).visit(program);
  let result = '';
  let end = 0;
  for (const { start, value } of pieces.toSorted((a, b) => a.start - b.start)) {
    // Parsers disagree whether the delimiters belong to a piece.
    const at = text.indexOf(value.raw, start);
    if (at > start + 1) throw new Error(`${path}: a template literal is not where it should be`);
    result += text.slice(end, at) + minifyWgsl(value.raw);
    end = at + value.raw.length;
  }
  return result + text.slice(end);
}

export const minifyWgslPlugin = {
  name: 'minify-wgsl',
  setup: ({ onLoad }) =>
    onLoad({ filter: /[/\\]src[/\\](?:kernels|engine)[/\\][\w-]+\.ts$/ }, ({ path }) => ({
      contents: minifyTemplates(path, readFileSync(path, 'utf8')),
      loader: 'ts',
    })),
};
