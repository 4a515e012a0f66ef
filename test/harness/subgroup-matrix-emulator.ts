/**
 * Subgroup matrices in plain WGSL, so that kernels written for them run on any adapter: a rewriter of
 * the shader's text. No f16, no subgroups, no extension is left.
 *
 * Subgroups are virtual: 32 invocations, in the order of local_invocation_index, whatever the adapter
 * has. Lane l owns column l mod N and rows ⌊l / N⌋, ⌊l / N⌋ + 32 / N, … of every result; of the
 * operands it holds the rows and the column that these need, taken when the kernel loads them. So
 * products, loads and stores need no talk between lanes, and nothing is computed twice.
 *
 * f16 becomes f32 with `quantizeToF16` at every conversion. Arrays of vec4<f16> keep their bytes
 * (vec2u), hence storage bindings and the size of shared memory stay as they are; arrays of f16 are
 * arrays of f32 in shared memory and pairs in read-only storage.
 *
 * Limits: it does not check that matrix operations are in uniform control flow, nor that all lanes
 * pass the same offsets; the real layout of elements over lanes may differ (no kernel can see it); f16
 * arithmetic is rounded only at conversions; one configuration per shader; other subgroup functions
 * throw. Bindings must be declared with their element types, not with aliases.
 */

export const VIRTUAL_SUBGROUP = 32;

/** Throws on WGSL that it does not understand; text without subgroup matrices comes back as it is. */
export function emulateSubgroupMatrices(wgsl: string): string {
  if (!wgsl.includes('chromium_experimental_subgroup_matrix')) return wgsl;
  let text = wgsl
    .replace(/\/\/.*$/gm, '')
    .replace(/^\s*enable [^;]*;/gm, '')
    .replace(/^\s*diagnostic\s*\([^)]*\)\s*;/gm, '')
    .replace(/@subgroup_size\s*\([^)]*\)/g, '');
  const shape = shapeOf(text);
  const arrays = arraysOf(text);
  const helpers = new Map<string, string>();

  text = text.replace(
    /subgroupMatrixLoad\s*<\s*subgroup_matrix_(left|right|result)\s*<[^>]*>\s*,\s*(row|col)_major\s*>\s*\(\s*&(\w+)\s*,/g,
    (_, kind: Kind, major: Major, name: string) => {
      const helper = `emu_load_${kind}_${major}_${name}`;
      helpers.set(helper, loadWgsl(helper, { kind, major, name, shape, scale: scaleOf(name) }));
      return `${helper}(`;
    },
  );
  text = text.replace(
    /subgroupMatrixStore\s*<\s*(row|col)_major\s*>\s*\(\s*&(\w+)\s*,/g,
    (_, major: Major, name: string) => {
      const helper = `emu_store_${major}_${name}`;
      helpers.set(helper, storeWgsl(helper, { major, name, shape, scale: scaleOf(name) }));
      return `${helper}(`;
    },
  );
  text = text
    .replace(/subgroupMatrixMultiplyAccumulate\s*\(/g, 'emu_multiply_accumulate(')
    .replace(/subgroupMatrixMultiply\s*(<\s*f32\s*>)?\s*\(/g, 'emu_multiply(')
    .replace(/subgroupMatrixScalar(Add|Subtract|Multiply)\s*\(/g, (_, op: string) => `emu_${op}(`)
    .replace(
      /subgroup_matrix_(left|right|result)\s*<[^>]*>/g,
      (_, kind: Kind) => `emu_matrix_${kind}`,
    );

  for (const array of arrays.values()) text = rewriteAccesses(text, array);
  text = rewriteMain(replaceF16(text));
  const rest = /\b(subgroup[A-Z]\w*|subgroup_matrix\w*|f16|vec[234]h)\b/.exec(text);
  if (rest) throw new Error(`emulator: ${rest[0]} in: ${lineAt(text, rest.index)}`);
  return [text, preludeWgsl(shape), ...[...arrays.values()].map(accessorsWgsl), ...helpers.values()]
    .filter(Boolean)
    .join('\n');

  function scaleOf(name: string): number {
    const array = arrays.get(name);
    if (!array) throw new Error(`emulator: no array named ${name}`);
    return array.width;
  }
}

type Kind = 'left' | 'right' | 'result';
type Major = 'row' | 'col';

interface Shape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

function shapeOf(text: string): Shape {
  const found = (kind: Kind, type: string): readonly [columns: number, rows: number] => {
    const pattern = new RegExp(`subgroup_matrix_${kind}\\s*<\\s*([^>]*)>`, 'g');
    const all = new Set(
      [...text.matchAll(pattern)].map(([, args = '']) => args.replace(/\s/g, '')),
    );
    const [args = '', ...others] = all;
    const match = /^(f16|f32),(\d+)u?,(\d+)u?$/.exec(args);
    if (others.length > 0 || match?.[1] !== type) {
      throw new Error(`emulator: ${kind} matrices of ${[...all].join(' and ')}, expected ${type}`);
    }
    return [Number(match[2]), Number(match[3])];
  };
  const [k, m] = found('left', 'f16');
  const [n, k2] = found('right', 'f16');
  const [n2, m2] = found('result', 'f32');
  const rowsApart = VIRTUAL_SUBGROUP / n;
  if (k !== k2 || n !== n2 || m !== m2 || !Number.isInteger(m / rowsApart)) {
    throw new Error(`emulator: shapes do not match: ${JSON.stringify({ m, m2, n, n2, k, k2 })}`);
  }
  return { m, n, k };
}

interface ArrayDeclaration {
  readonly name: string;
  /** Elements are kept as pairs of f16 in words. */
  readonly isPacked: boolean;
  readonly isWritable: boolean;
  /** Numbers per element of the array. */
  readonly width: number;
}

const DECLARATION =
  /var\s*<\s*(storage|workgroup)\s*(?:,\s*(read|read_write))?\s*>\s*(\w+)\s*:\s*array\s*<\s*(f16|f32|vec4<f16>|vec4<f32>|vec4f)\s*[,>]/g;

/** Arrays of floats in storage and shared memory, by name. */
function arraysOf(text: string): Map<string, ArrayDeclaration> {
  return new Map(
    [...text.matchAll(DECLARATION)].map(([, space = '', mode = '', name = '', element = '']) => [
      name,
      {
        name,
        isWritable: space === 'workgroup' || mode === 'read_write',
        isPacked: element === 'vec4<f16>' || (element === 'f16' && space === 'storage'),
        width: element.startsWith('vec4') ? 4 : 1,
      },
    ]),
  );
}

/** `name[i]` and `name[i] = v;` of packed arrays → calls of their accessors. */
function rewriteAccesses(text: string, { name, isPacked, width }: ArrayDeclaration): string {
  if (!isPacked) return text;
  let result = text.replace(
    new RegExp(`(${name}\\s*:\\s*array\\s*<\\s*)(vec4<f16>|f16)`),
    `$1${width === 4 ? 'vec2u' : 'u32'}`,
  );
  const access = new RegExp(`\\b${name}\\s*\\[`, 'g');
  // From the last on, so that what lies inside the brackets is rewritten before they are.
  for (const match of [...result.matchAll(access)].toReversed()) {
    const open = match.index + match[0].length - 1;
    const close = closingOf(result, open);
    const index = result.slice(open + 1, close);
    const rest = result.slice(close + 1);
    const assignment = /^\s*=(?!=)/.exec(rest);
    const before = result.slice(0, match.index);
    if (!assignment) {
      result = `${before}emu_get_${name}(${index})${rest}`;
    } else {
      const end = rest.indexOf(';');
      const value = rest.slice(assignment[0].length, end);
      result = `${before}emu_set_${name}(${index}, ${value})${rest.slice(end)}`;
    }
  }
  return result;
}

/** Index of the bracket that closes the one at `open`. */
function closingOf(text: string, open: number): number {
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    if ('([{'.includes(text.charAt(i))) depth++;
    else if (')]}'.includes(text.charAt(i)) && --depth === 0) return i;
  }
  throw new Error(`emulator: unbalanced brackets at: ${lineAt(text, open)}`);
}

const lineAt = (text: string, index: number): string =>
  text.slice(text.lastIndexOf('\n', index) + 1).split('\n', 1)[0] ?? '';

/** Constructors round, types become f32. */
function replaceF16(text: string): string {
  let result = text.replace(/\bvec([234])h\b/g, 'vec$1<f16>').replace(/(\d(?:\.\d*)?)h\b/g, '$1f');
  for (;;) {
    const match = [...result.matchAll(/\b(?:vec([234])<f16>|f16)\s*\(/g)].at(-1);
    if (!match) break;
    const open = match.index + match[0].length - 1;
    const close = closingOf(result, open);
    const type = match[1] === undefined ? 'f32' : `vec${match[1]}f`;
    const value = `${type}(${result.slice(open + 1, close)})`;
    result = `${result.slice(0, match.index)}quantizeToF16(${value})${result.slice(close + 1)}`;
  }
  return result.replace(/\bvec([234])<f16>/g, 'vec$1f').replace(/\bf16\b/g, 'f32');
}

const BUILTINS: Readonly<Record<string, string>> = {
  subgroup_id: `emu_index / ${VIRTUAL_SUBGROUP}u`,
  subgroup_invocation_id: `emu_index % ${VIRTUAL_SUBGROUP}u`,
  subgroup_size: `${VIRTUAL_SUBGROUP}u`,
};

/** Builtins of subgroups, from the index of the invocation. */
function rewriteMain(text: string): string {
  const match = /\bfn\s+main\s*\(/.exec(text);
  if (!match) throw new Error('emulator: no main');
  const open = match.index + match[0].length - 1;
  const close = closingOf(text, open);
  const kept: string[] = [];
  let start = `  emu_lane = emu_index % ${VIRTUAL_SUBGROUP}u;\n  emu_zero = emu_index >> 16u;`;
  for (const [parameter, builtin = '', name = ''] of text
    .slice(open + 1, close)
    .matchAll(/@builtin\s*\(\s*(\w+)\s*\)\s*(\w+)\s*:\s*\w+/g)) {
    const value = builtin === 'local_invocation_index' ? 'emu_index' : BUILTINS[builtin];
    if (value === undefined) kept.push(parameter);
    else start += `\n  let ${name} = ${value};`;
  }
  kept.push('@builtin(local_invocation_index) emu_index: u32');
  const body = text.indexOf('{', close) + 1;
  return `${text.slice(0, open + 1)}${kept.join(', ')}${text.slice(close, body)}\n${start}${text.slice(body)}`;
}

function accessorsWgsl({ name, isPacked, isWritable, width }: ArrayDeclaration): string {
  if (!isPacked) {
    return width === 4
      ? `fn emu_at_${name}(i: u32) -> f32 { return ${name}[i >> 2u][i & 3u]; }`
      : `fn emu_at_${name}(i: u32) -> f32 { return ${name}[i]; }`;
  }
  if (width === 1) {
    return `fn emu_get_${name}(i: u32) -> f32 { return unpack2x16float(${name}[i >> 1u])[i & 1u]; }
fn emu_at_${name}(i: u32) -> f32 { return emu_get_${name}(i); }`;
  }
  const setter = `fn emu_set_${name}(i: u32, v: vec4f) {
  ${name}[i] = vec2u(pack2x16float(v.xy), pack2x16float(v.zw));
}`;
  return `fn emu_get_${name}(i: u32) -> vec4f {
  let words = ${name}[i];
  return vec4f(unpack2x16float(words.x), unpack2x16float(words.y));
}
fn emu_at_${name}(i: u32) -> f32 { return unpack2x16float(${name}[i >> 2u][(i >> 1u) & 1u])[i & 1u]; }
${isWritable ? setter : ''}`;
}

/** Rows of a result that one lane owns, and how far they lie apart. */
function ownership({ m, n }: Shape): { readonly rows: number; readonly apart: number } {
  const apart = VIRTUAL_SUBGROUP / n;
  return { rows: m / apart, apart };
}

function preludeWgsl(shape: Shape): string {
  const { rows } = ownership(shape);
  const scalar = (name: string, operator: string) => `
fn emu_${name}(m: emu_matrix_result, v: f32) -> emu_matrix_result {
  var out = m;
  for (var r = 0u; r < ${rows}u + emu_zero; r++) { out[r] = m[r] ${operator} v; }
  return out;
}`;
  return `
alias emu_matrix_left = array<array<f32, ${shape.k}>, ${rows}>;
alias emu_matrix_right = array<f32, ${shape.k}>;
alias emu_matrix_result = array<f32, ${rows}>;
var<private> emu_lane: u32;
// Zero, which compilers cannot know: loops unrolled would take longer to compile than to run.
var<private> emu_zero: u32;

fn emu_multiply_accumulate(a: emu_matrix_left, b: emu_matrix_right, c: emu_matrix_result) -> emu_matrix_result {
  var out = c;
  for (var r = 0u; r < ${rows}u + emu_zero; r++) {
    for (var k = 0u; k < ${shape.k}u + emu_zero; k++) { out[r] += a[r][k] * b[k]; }
  }
  return out;
}

fn emu_multiply(a: emu_matrix_left, b: emu_matrix_right) -> emu_matrix_result {
  return emu_multiply_accumulate(a, b, emu_matrix_result());
}
${scalar('Add', '+')}${scalar('Subtract', '-')}${scalar('Multiply', '*')}`;
}

interface Access {
  readonly major: Major;
  readonly name: string;
  readonly shape: Shape;
  /** Numbers per unit of offset and stride. */
  readonly scale: number;
}

/** Where the number of a row and a column lies. */
const indexWgsl = ({ major, scale }: Access, row: string, column: string): string => {
  const [outer, inner] = major === 'row' ? [row, column] : [column, row];
  return `(offset + (${outer}) * stride) * ${scale}u + ${inner}`;
};

function loadWgsl(helper: string, access: Access & { readonly kind: Kind }): string {
  const { kind, name, shape } = access;
  const { rows, apart } = ownership(shape);
  const at = (row: string, column: string) => `emu_at_${name}(${indexWgsl(access, row, column)})`;
  const row = `emu_lane / ${shape.n}u + r * ${apart}u`;
  const column = `emu_lane % ${shape.n}u`;
  const body = {
    left: `for (var r = 0u; r < ${rows}u + emu_zero; r++) {
    for (var k = 0u; k < ${shape.k}u + emu_zero; k++) { out[r][k] = ${at(row, 'k')}; }
  }`,
    right: `for (var k = 0u; k < ${shape.k}u + emu_zero; k++) { out[k] = ${at('k', column)}; }`,
    result: `for (var r = 0u; r < ${rows}u + emu_zero; r++) { out[r] = ${at(row, column)}; }`,
  }[kind];
  return `fn ${helper}(offset: u32, stride: u32) -> emu_matrix_${kind} {
  var out: emu_matrix_${kind};
  ${body}
  return out;
}`;
}

function storeWgsl(helper: string, access: Access): string {
  const { name, shape, scale } = access;
  const { rows, apart } = ownership(shape);
  const row = `emu_lane / ${shape.n}u + r * ${apart}u`;
  const index = indexWgsl(access, row, `emu_lane % ${shape.n}u`);
  return `fn ${helper}(offset: u32, m: emu_matrix_result, stride: u32) {
  for (var r = 0u; r < ${rows}u + emu_zero; r++) {
    let i = ${index};
    ${name}${scale === 4 ? '[i >> 2u][i & 3u]' : '[i]'} = m[r];
  }
}`;
}
