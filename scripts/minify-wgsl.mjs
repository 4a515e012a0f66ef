/**
 * A plugin of rolldown's: kernels without the comments, the indentation and the spaces of their WGSL, for the page, and
 * with the preprocessor's directives resolved, which is not needed there then.
 *
 *   `\n  let a = 1;   // why\n\n  let b = 2;`  →  `\nlet a=1;\nlet b=2;`
 *
 * Works on the template literals of src/kernels and of what writes WGSL beside it; on spaces only where a
 * literal has several lines or ends as a statement does, as sentences do not. Lines stay lines, so that compile errors quote what was
 * compiled; every text has the same tokens (test/unit/minify-wgsl.test.ts compares all kernels with their source).
 */
import { readFileSync } from 'node:fs';
import { parseSync, Visitor } from 'vite';

/** A comment that goes on in an interpolated value, or has an escape, stays as it is: its end is not in sight. */
const COMMENT = /(^|\s)(?:\/\/[^\n\\]*(?=\n)|\/\*[^\\]*?\*\/)/g;

/** A space beside a sign, unless there is one on both sides: `a - -b`. */
const SPACE = /(?<=[\w)\]}]) (?=[^\w\s$])|(?<=[^\w\s]) (?=[\w([{])/g;

/** The raw text of one piece of a template literal; `isCode`: of one that is no sentence. */
function minifyPiece(raw, { isCode }) {
  const lines = raw
    .replace(COMMENT, '$1')
    .replace(/[ \t]*\n\s*/g, '\n')
    .replace(/ {2,}/g, ' ');
  // The preprocessor's directives are words.
  return isCode ? lines.replace(/^(?!#).+$/gm, (line) => line.replace(SPACE, '')) : lines;
}

/** What ends a piece before the value of a condition, and what stands alone on its line. */
const CONDITION = /\n#(el)?if $/;
const BRANCH = /\n#(else|endif)(?=\n|$)/g;

/**
 * The pieces of a `wgsl` literal with the preprocessor's directives as the expressions that they mean, each with what
 * stands between it and the values beside it:
 *
 *   \n#if ${a}\nb\n#else\nc\n#endif   →   ${(a)?`\nb`:`\nc`}
 */
function resolveDirectives(pieces) {
  const hasElse = [];
  let before = '}';
  return pieces.map((piece) => {
    const [, elif] = CONDITION.exec(piece) ?? [];
    const isCondition = CONDITION.test(piece);
    const text = piece.replace(CONDITION, '').replace(BRANCH, (_, directive) => {
      if (directive === 'else') hasElse[hasElse.length - 1] = true;
      else return hasElse.pop() ? '`}' : '`:``}';
      return '`:`';
    });
    if (isCondition && !elif) hasElse.push(false);
    const after = !isCondition ? '${' : elif ? '`:(' : '${(';
    const resolved = { before, text, after };
    before = isCondition ? ')?`' : '}';
    return resolved;
  });
}

const asTheyAre = (pieces) => pieces.map((text) => ({ before: '}', text, after: '${' }));

/** TypeScript with its template literals minified and their directives resolved. */
export function minifyTemplates(path, text) {
  const { program, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0].message}`);
  const edits = [];
  const resolved = new Set();
  new Visitor({
    TaggedTemplateExpression({ tag, quasi }) {
      if (tag.name !== 'wgsl') return;
      resolved.add(quasi);
      edits.push({ start: tag.start, end: quasi.start, by: '' });
    },
    TemplateLiteral(literal) {
      const raws = literal.quasis.map(({ value }) => value.raw);
      const isCode = raws.some((raw) => raw.includes('\n')) || /[;{}]$/.test(raws.at(-1));
      const pieces = raws.map((raw) => minifyPiece(raw, { isCode }));
      const made = (resolved.has(literal) ? resolveDirectives : asTheyAre)(pieces);
      // Parsers disagree whether the delimiters belong to a piece.
      const delimiter = literal.start + 1 - literal.quasis[0].start;
      for (const [i, { before, text: piece, after }] of made.entries()) {
        const at = literal.quasis[i].start + delimiter;
        const end = at + raws[i].length;
        const isLast = i === made.length - 1;
        if (!text.startsWith(raws[i] + (isLast ? '`' : '${'), at))
          throw new Error(`${path}: a template literal is not where it should be`);
        edits.push({
          start: i === 0 ? at : at - 1,
          end: isLast ? end : end + 2,
          by: (i === 0 ? '' : before) + piece + (isLast ? '' : after),
        });
      }
    },
  }).visit(program);
  let result = '';
  let from = 0;
  for (const { start, end, by } of edits.toSorted((a, b) => a.start - b.start)) {
    result += text.slice(from, start) + by;
    from = end;
  }
  return result + text.slice(from);
}

export const minifyWgslPlugin = {
  name: 'minify-wgsl',
  load: {
    filter: { id: /[/\\]src[/\\](?:kernels|engine)[/\\][\w-]+\.ts$/ },
    handler: (id) => minifyTemplates(id, readFileSync(id, 'utf8')),
  },
};
