/**
 * Subgroup matrices in plain WGSL, so that kernels written for them run on any adapter: a rewriter of
 * the shader's text. No f16, no subgroups, no extension is left.
 *
 * Subgroups are virtual: as many invocations as `@subgroup_size` or the caller says, L of them, in the
 * order of local_invocation_index, whatever the adapter has. Lane l owns column l mod N and rows
 * ⌊l / N⌋, ⌊l / N⌋ + L / N, … of every result; of the operands it holds the rows and the column that
 * these need, taken when the kernel loads them. So products, loads and stores need no talk between
 * lanes, and nothing is computed twice.
 *
 * f16 becomes f32 with `quantizeToF16` at every conversion. Arrays of vec4<f16> keep their bytes
 * (vec2u), hence storage bindings and the size of shared memory stay as they are; arrays of f16 are
 * arrays of f32 in shared memory and pairs in read-only storage.
 *
 * Matrices live in private arrays and their names become numbers of places there, because compilers of
 * software adapters take minutes over dozens of small arrays passed by value.
 *
 * Constant strides must be whole 16 bytes, as Vulkan demands of rows that are not shorter.
 *
 * Limits: it does not check that matrix operations are in uniform control flow, nor that all lanes
 * pass the same offsets; the real layout of elements over lanes may differ (no kernel can see it); f16
 * arithmetic is rounded only at conversions; one configuration per shader; other subgroup functions
 * throw, and so do copies (`let a = b;`) and functions of matrices. Bindings must be declared with their element types, not with aliases.
 */

/**
 * Throws on WGSL that it does not understand; text without subgroup matrices comes back as it is.
 * `lanes`: of a subgroup, where the shader asks for no size.
 */
export function emulateSubgroupMatrices(wgsl: string, lanes = 32): string {
  if (!wgsl.includes('chromium_experimental_subgroup_matrix')) return wgsl;
  const pinned = /@subgroup_size\s*\((\d+)\)/.exec(wgsl)?.[1];
  const asked = wgsl.includes('enable subgroup_size_control;');
  if (asked !== (pinned !== undefined))
    throw new Error('emulator: @subgroup_size needs its enable');
  const subgroup = pinned === undefined ? lanes : Number(pinned);
  let text = wgsl
    .replace(/\/\/.*$/gm, '')
    .replace(/^\s*enable [^;]*;/gm, '')
    .replace(/^\s*diagnostic\s*\([^)]*\)\s*;/gm, '')
    .replace(/@subgroup_size\s*\([^)]*\)/g, '');
  const shape = shapeOf(text, subgroup);
  const arrays = arraysOf(text);
  expectAligned(text, arrays);
  const helpers = new Map<string, string>();

  text = text.replace(
    /subgroupMatrixLoad\s*<\s*subgroup_matrix_(left|right|result)\s*<[^>]*>\s*,\s*(row|col)_major\s*>\s*\(\s*&(\w+)\s*,/g,
    (_, kind: Kind, major: Major, name: string) => {
      const helper = `emu_${kind}_load_${major}_${name}`;
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
    .replace(/subgroupMatrixMultiplyAccumulate\s*\(/g, 'emu_result_multiply_accumulate(')
    .replace(/subgroupMatrixMultiply\s*(<\s*f32\s*>)?\s*\(/g, 'emu_result_multiply(')
    .replace(
      /subgroupMatrixScalar(Add|Subtract|Multiply)\s*\(/g,
      (_, op: string) => `emu_result_${op}(`,
    )
    .replace(
      /subgroup_matrix_(left|right|result)\s*<[^>]*>\s*\(\s*\)/g,
      (_, kind: Kind) => `emu_${kind}_zeros()`,
    );
  const file = placeMatrices(text);
  text = file.text;

  for (const array of arrays.values()) text = rewriteAccesses(text, array);
  const unknown = /var\s*<\s*storage[^>]*>\s*(\w+)\s*:\s*array\s*<\s*\w*<?f16/.exec(text);
  if (unknown) throw new Error(`emulator: elements of ${unknown[1]}`);
  text = rewriteMain(replaceF16(text), subgroup);
  const rest = /\b(subgroup[A-Z]\w*|subgroup_matrix\w*|f16|vec[234]h)\b/.exec(text);
  if (rest) throw new Error(`emulator: ${rest[0]} in: ${lineAt(text, rest.index)}`);
  return [
    text,
    preludeWgsl(shape, file.counts),
    ...[...arrays.values()].map(accessorsWgsl),
    ...helpers.values(),
  ]
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
  /** Of a subgroup. */
  readonly lanes: number;
}

function shapeOf(text: string, lanes: number): Shape {
  const component = /subgroup_matrix_left\s*<\s*f32/.test(text) ? 'f32' : 'f16';
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
  const [k, m] = found('left', component);
  const [n, k2] = found('right', component);
  const [n2, m2] = found('result', 'f32');
  const rowsApart = lanes / n;
  if (k !== k2 || n !== n2 || m !== m2 || !Number.isInteger(m / rowsApart)) {
    throw new Error(`emulator: shapes do not match: ${JSON.stringify({ m, m2, n, n2, k, k2 })}`);
  }
  return { m, n, k, lanes };
}

/** Matrices of each kind, counted. */
type Counts = Readonly<Record<Kind, number>>;

/**
 * Every matrix gets a place in the private array of its kind; names become constants, the number of
 * the place, and functions that make a matrix take as their first argument where to.
 */
function placeMatrices(text: string): { readonly text: string; readonly counts: Counts } {
  const counts = { left: 0, right: 0, result: 0 };
  const names = new Set<string>();
  const place = (kind: Kind, count = 1): string => {
    counts[kind] += count;
    return `${counts[kind] - count}u`;
  };
  const declare = (name: string, at: string): string => {
    names.add(name);
    return `const ${name}: u32 = ${at};`;
  };
  const placed = text
    .replace(
      /\bvar\s+(\w+)\s*:\s*array\s*<\s*subgroup_matrix_(left|right|result)\s*<[^>]*>\s*,\s*(\d+)u?\s*>\s*;/g,
      (_, name: string, kind: Kind, length: string) => {
        const at = place(kind, Number(length));
        return `${declare(name, at)} for (var emu_i = 0u; emu_i < ${length}u; emu_i++) { emu_${kind}_zeros(${at} + emu_i); }`;
      },
    )
    .replace(
      /\bvar\s+(\w+)\s*:\s*subgroup_matrix_(left|right|result)\s*<[^>]*>\s*;/g,
      (_, name: string, kind: Kind) => {
        const at = place(kind);
        return `${declare(name, at)} emu_${kind}_zeros(${at});`;
      },
    )
    .replace(
      /(?:\b(?:let|var)\s+(\w+)\s*=\s*|(\w+(?:\s*\[[^\]=;]*\])?)\s*=\s*)?\b(emu_(left|right|result)_\w+)\(\s*(?!\d+u[ )])(\))?/g,
      (_, declared, assigned, helper: string, kind: Kind, empty = ',') => {
        if (assigned !== undefined) return `${helper}(${assigned}${empty} `;
        const at = place(kind);
        const start = declared === undefined ? '' : `${declare(declared, at)} `;
        return `${start}${helper}(${at}${empty} `;
      },
    );
  const indexed = [...names].reduce(
    (result, name) =>
      result.replace(new RegExp(`\\b${name}\\s*\\[([^\\]]*)\\]`, 'g'), `(${name} + $1)`),
    placed,
  );
  const copy = new RegExp(`=\\s*\\(?(${[...names].join('|')})\\b[^;(]*;`).exec(indexed);
  if (copy) throw new Error(`emulator: a copy of a matrix: ${lineAt(indexed, copy.index)}`);
  return { text: indexed, counts };
}

interface ArrayDeclaration {
  readonly name: string;
  /** Elements are kept as pairs of f16 in words. */
  readonly isPacked: boolean;
  readonly isWritable: boolean;
  /** Numbers per element of the array. */
  readonly width: number;
  readonly bytes: number;
}

const DECLARATION =
  /var\s*<\s*(storage|workgroup)\s*(?:,\s*(read|read_write))?\s*>\s*(\w+)\s*:\s*array\s*<\s*(f16|f32|vec[24]<f16>|vec4<f32>|vec4f)\s*[,>]/g;

/** Arrays of floats in storage and shared memory, by name. */
function arraysOf(text: string): Map<string, ArrayDeclaration> {
  return new Map(
    [...text.matchAll(DECLARATION)].map(([, space = '', mode = '', name = '', element = '']) => [
      name,
      {
        name,
        isWritable: space === 'workgroup' || mode === 'read_write',
        isPacked: /^vec[24]<f16>$/.test(element) || (element === 'f16' && space === 'storage'),
        ...sizesOf(element),
      },
    ]),
  );
}

function sizesOf(element: string): Pick<ArrayDeclaration, 'width' | 'bytes'> {
  const width = Number(/^vec(\d)/.exec(element)?.[1] ?? 1);
  return { width, bytes: width * (element.includes('f16') ? 2 : 4) };
}

/** Rows are 16 bytes or longer, whatever the matrix. */
function expectAligned(text: string, arrays: ReadonlyMap<string, ArrayDeclaration>): void {
  const access = /subgroupMatrix(?:Load|Store)\s*<[^&;]*&(\w+)[^;]*,\s*(\d+)u\s*\)\s*;/g;
  for (const [call, name = '', stride = ''] of text.matchAll(access)) {
    const bytes = Number(stride) * (arrays.get(name)?.bytes ?? 0);
    if (bytes % 16 !== 0) throw new Error(`emulator: rows ${bytes} bytes apart in: ${call}`);
  }
}

/** `name[i]` and `name[i] = v;` of packed arrays → calls of their accessors. */
function rewriteAccesses(text: string, { name, isPacked, width }: ArrayDeclaration): string {
  if (!isPacked) return text;
  let result = text.replace(
    new RegExp(`(${name}\\s*:\\s*array\\s*<\\s*)(vec[24]<f16>|f16)`),
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

/** Builtins of subgroups, from the index of the invocation. */
function rewriteMain(text: string, lanes: number): string {
  const match = /\bfn\s+main\s*\(/.exec(text);
  if (!match) throw new Error('emulator: no main');
  const invocations = Number(/@workgroup_size\((\d+)\)/.exec(text)?.[1]);
  const builtins: Readonly<Record<string, string>> = {
    subgroup_id: `emu_index / ${lanes}u`,
    subgroup_invocation_id: `emu_index % ${lanes}u`,
    subgroup_size: `${lanes}u`,
    num_subgroups: `${invocations / lanes}u`,
    local_invocation_index: 'emu_index',
  };
  const open = match.index + match[0].length - 1;
  const close = closingOf(text, open);
  const kept: string[] = [];
  let start = `  emu_lane = emu_index % ${lanes}u;\n  emu_zero = emu_index >> 16u;`;
  for (const [parameter, builtin = '', name = ''] of text
    .slice(open + 1, close)
    .matchAll(/@builtin\s*\(\s*(\w+)\s*\)\s*(\w+)\s*:\s*\w+/g)) {
    const value = builtins[builtin];
    if (builtin === 'num_subgroups' && Number.isNaN(invocations)) {
      throw new Error('emulator: num_subgroups where @workgroup_size is not one number');
    }
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
  if (width === 2) {
    return isWritable
      ? `fn emu_set_${name}(i: u32, v: vec2f) { ${name}[i] = pack2x16float(v); }`
      : `fn emu_get_${name}(i: u32) -> vec2f { return unpack2x16float(${name}[i]); }`;
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
function ownership({ m, n, lanes }: Shape): { readonly rows: number; readonly apart: number } {
  const apart = lanes / n;
  return { rows: m / apart, apart };
}

function preludeWgsl(shape: Shape, counts: Counts): string {
  const { rows } = ownership(shape);
  const eachRow = (body: string) =>
    `for (var r = 0u; r < ${rows}u + emu_zero; r++) { emu_result[to * ${rows}u + r] = ${body}; }`;
  const scalar = (name: string, operator: string) => `
fn emu_result_${name}(to: u32, m: u32, v: f32) -> u32 {
  ${eachRow(`emu_result[m * ${rows}u + r] ${operator} v`)}
  return to;
}`;
  const zeros = (kind: Kind) => {
    const size = sizeOfKind(kind, shape);
    return `
var<private> emu_${kind}: array<f32, ${Math.max(1, counts[kind]) * size}>;
fn emu_${kind}_zeros(to: u32) -> u32 {
  for (var i = 0u; i < ${size}u + emu_zero; i++) { emu_${kind}[to * ${size}u + i] = 0.0; }
  return to;
}`;
  };
  return `
var<private> emu_lane: u32;
// Zero, which compilers cannot know: loops unrolled would take longer to compile than to run.
var<private> emu_zero: u32;
${zeros('left')}${zeros('right')}${zeros('result')}

fn emu_result_multiply_accumulate(to: u32, a: u32, b: u32, c: u32) -> u32 {
  for (var r = 0u; r < ${rows}u + emu_zero; r++) {
    var sum = emu_result[c * ${rows}u + r];
    for (var k = 0u; k < ${shape.k}u + emu_zero; k++) {
      sum += emu_left[(a * ${rows}u + r) * ${shape.k}u + k] * emu_right[b * ${shape.k}u + k];
    }
    emu_result[to * ${rows}u + r] = sum;
  }
  return to;
}

fn emu_result_multiply(to: u32, a: u32, b: u32) -> u32 {
  return emu_result_multiply_accumulate(emu_result_zeros(to), a, b, to);
}
${scalar('Add', '+')}${scalar('Subtract', '-')}${scalar('Multiply', '*')}`;
}

/** Numbers that one lane holds of a matrix. */
const sizeOfKind = (kind: Kind, shape: Shape): number => {
  const { rows } = ownership(shape);
  return { left: rows * shape.k, right: shape.k, result: rows }[kind];
};

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

/** Numbers of row r and column `column` of the lane. */
const ownedWgsl = (access: Access) => {
  const { shape } = access;
  return {
    row: `(emu_lane / ${shape.n}u + r * ${ownership(shape).apart}u)`,
    column: `(emu_lane % ${shape.n}u)`,
  };
};

function loadWgsl(helper: string, access: Access & { readonly kind: Kind }): string {
  const { kind, name, shape } = access;
  const { rows } = ownership(shape);
  const at = (row: string, column: string) => `emu_at_${name}(${indexWgsl(access, row, column)})`;
  const { row, column } = ownedWgsl(access);
  const eachRow = (body: string) => `for (var r = 0u; r < ${rows}u + emu_zero; r++) { ${body} }`;
  const eachK = (body: string) => `for (var k = 0u; k < ${shape.k}u + emu_zero; k++) { ${body} }`;
  const body = {
    left: eachRow(eachK(`emu_left[(to * ${rows}u + r) * ${shape.k}u + k] = ${at(row, 'k')};`)),
    right: eachK(`emu_right[to * ${shape.k}u + k] = ${at('k', column)};`),
    result: eachRow(`emu_result[to * ${rows}u + r] = ${at(row, column)};`),
  }[kind];
  return `fn ${helper}(to: u32, offset: u32, stride: u32) -> u32 {
  ${body}
  return to;
}`;
}

function storeWgsl(helper: string, access: Access): string {
  const { name, shape, scale } = access;
  const { rows } = ownership(shape);
  const { row, column } = ownedWgsl(access);
  return `fn ${helper}(offset: u32, m: u32, stride: u32) {
  for (var r = 0u; r < ${rows}u + emu_zero; r++) {
    let i = ${indexWgsl(access, row, column)};
    ${name}${scale === 4 ? '[i >> 2u][i & 3u]' : '[i]'} = emu_result[m * ${rows}u + r];
  }
}`;
}
