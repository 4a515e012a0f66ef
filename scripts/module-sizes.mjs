/**
 * What each module takes of what a page loads at once (scripts/sizes.mjs), gzipped: the whole less the whole
 * without it. For who looks for what else could come later.
 *
 *   node scripts/module-sizes.mjs
 */
import { relative, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build, minifySync, parseSync, Visitor } from 'vite';
import { byFolder } from './build-page.mjs';
import { minifyWgslPlugin } from './minify-wgsl.mjs';
import { appOf, chunksAtOnce } from './sizes.mjs';
import { helpIfAsked } from './help.mjs';

helpIfAsked();

const gzipped = (code) => gzipSync(code, { level: 9 }).length;
const minified = (code) =>
  minifySync('a.js', code, { module: true, compress: { unused: false } }).code;

const { output } = await build({
  configFile: false,
  logLevel: 'error',
  plugins: [appOf(resolve('src/index.ts')), minifyWgslPlugin],
  define: { INVSR_VERSION: '""', INVSR_KERNELS: '""' },
  build: {
    write: false,
    target: 'es2023',
    minify: false,
    modulePreload: false,
    rolldownOptions: { input: 'virtual:app' },
  },
});
const modules = chunksAtOnce(output)
  .flatMap(({ modules: of }) => Object.entries(of))
  .flatMap(([id, { code }]) => (code ? [{ id, code }] : []))
  .toSorted((a, b) => byFolder(a.id, b.id));
const without = (left) =>
  minified(modules.flatMap(({ id, code }) => (id === left ? [] : [code])).join('\n'));
const whole = without();

/** Bytes gzipped of the whole less those without these pieces of its strings. */
function shareOf(isMeant) {
  const pieces = [];
  new Visitor({ TemplateLiteral: ({ quasis }) => void pieces.push(...quasis) }).visit(
    parseSync('a.js', whole).program,
  );
  let rest = '';
  let at = 0;
  for (const { start, value } of pieces.toSorted((a, b) => a.start - b.start)) {
    if (!isMeant(value.raw)) continue;
    const begin = whole.indexOf(value.raw, start);
    rest += whole.slice(at, begin);
    at = begin + value.raw.length;
  }
  return gzipped(whole) - gzipped(rest + whole.slice(at));
}

const rows = modules.map(({ id }) => [gzipped(whole) - gzipped(without(id)), id]);
for (const [bytes, id] of rows.toSorted(([a], [b]) => b - a)) {
  console.log(`${String(bytes).padStart(6)}  ${relative('.', id)}`);
}
console.log(`${modules.length} modules, ${gzipped(whole)} bytes gzipped of ${whole.length}`);
console.log(`  of which WGSL ${shareOf((text) => text.includes('\n'))}`);
console.log(
  `  of which sentences ${shareOf((text) => !text.includes('\n') && /[a-z] [a-z]/.test(text))}`,
);
