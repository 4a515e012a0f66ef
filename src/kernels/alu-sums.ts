/**
 * What becomes of the ALU program's sums (implicit-gemm-alu.ts): invocation (i, j) holds `sum<r>_<v>` of
 * pixels j, j + down, … and column groups i, i + across, …; each goes through `finish`, and with moments
 * what was stored is then merged over j (tile-moments.ts).
 */
import { type AluDesign, columnsOf, pixelsOf } from './alu-tiles.ts';
import { mergeMoments, momentVectors, ownMoments, tileMomentsWgsl } from './tile-moments.ts';
import { unroll } from './unroll.ts';

export interface SumsVariant {
  readonly isSplit: boolean;
  /** Rows are layer-normalized: row-norm.ts. */
  readonly isNormed: boolean;
  readonly hasMoments: boolean;
}

/** Reads `area` (`out` if split), `first`, `c`, `i`, `j` and `thread` of the program. */
export function sumsWgsl(
  design: AluDesign,
  { isSplit, isNormed, hasMoments }: SumsVariant,
): { readonly declarations: string; readonly store: string } {
  const { across, down, rows, vectors, slots } = design;
  const store = (r: number, v: number): string => {
    const vector = `c + ${across * v}u`;
    const sum = isNormed
      ? `normalized(sum${r}_${v}, row_norms[j + ${down * r}u], ${vector})`
      : `sum${r}_${v}`;
    const call = `finish(${isSplit ? 'out' : 'area'}, py, px, ${vector}, ${sum})`;
    return `if (${vector} < params.co4) { ${hasMoments ? `sum${r}_${v} = ${call}` : call}; }`;
  };
  const stored = unroll(
    rows,
    (r) => `  {
    let pixel = first + j + ${down * r}u;
    let py = pixel / params.width;
    let px = pixel - py * params.width;
    if (py < params.height) {
${hasMoments ? '      count += 1f;\n' : ''}${unroll(vectors, (v) => store(r, v))}
    }
  }`,
  );
  if (!hasMoments) return { declarations: '', store: stored };

  const tile = {
    columns: across * vectors,
    parts: down,
    slots,
    threads: across * down,
    scratch: 'moment_tile',
  };
  const own = Array.from({ length: vectors }, (_, v) => ({
    mean: `mean${v}`,
    m2: `m2_${v}`,
    column: `(${across * v}u + i)`,
  }));
  const valuesOf = (v: number): string[] => Array.from({ length: rows }, (_, r) => `sum${r}_${v}`);
  return {
    declarations: `var<workgroup> moment_tile: array<vec4f, ${momentVectors(tile)}>;
${tileMomentsWgsl(tile)}`,
    store: `  var count = 0f;
${stored}
${own.map((one, v) => ownMoments(one, valuesOf(v))).join('\n')}
${mergeMoments(tile, 'j', own)}
  if (first < params.height * params.width) {
    let chunk = (area.phase_y * 2u + area.phase_x) * params.moment_chunks + first / ${pixelsOf(design)}u;
    store_moments(area.image * params.moment_chunks * params.phases + chunk, 0u, area.column * ${columnsOf(design)}u, ${columnsOf(design)}u, thread);
  }`,
  };
}
