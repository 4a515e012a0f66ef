/**
 * Ops in six families, each with a colour and a mark of its own: who cannot tell two of the colours
 * apart still tells a circle from a square. Colours are a light and a dark theme's.
 */

export type Family = 'conv' | 'upsample' | 'linear' | 'attention' | 'norm' | 'other';

export interface FamilyStyle {
  readonly label: string;
  readonly light: string;
  readonly dark: string;
  /** Outline of a mark of area π around the origin. */
  readonly outline: readonly (readonly [x: number, y: number])[] | 'circle';
}

const SQUARE = Math.sqrt(Math.PI) / 2;
const DIAMOND = Math.sqrt(Math.PI / 2);
/** Circumradius of an equilateral triangle of area π. */
const TRIANGLE = Math.sqrt((4 * Math.PI) / (3 * Math.sqrt(3)));
const HALF = (TRIANGLE * Math.sqrt(3)) / 2;

export const FAMILIES: Readonly<Record<Family, FamilyStyle>> = {
  conv: { label: 'convolution', light: '#2f62b5', dark: '#7aa7f0', outline: 'circle' },
  upsample: {
    label: 'upsampling convolution',
    light: '#0f8b9d',
    dark: '#57c7d4',
    outline: [
      [0, -DIAMOND],
      [DIAMOND, 0],
      [0, DIAMOND],
      [-DIAMOND, 0],
    ],
  },
  linear: {
    label: 'linear',
    light: '#cf5c14',
    dark: '#f59a5b',
    outline: [
      [-SQUARE, -SQUARE],
      [SQUARE, -SQUARE],
      [SQUARE, SQUARE],
      [-SQUARE, SQUARE],
    ],
  },
  attention: {
    label: 'attention',
    light: '#1f7a48',
    dark: '#6cc794',
    outline: [
      [0, -TRIANGLE],
      [HALF, TRIANGLE / 2],
      [-HALF, TRIANGLE / 2],
    ],
  },
  norm: {
    label: 'normalisation',
    light: '#8f3f97',
    dark: '#d796de',
    outline: [
      [0, TRIANGLE],
      [HALF, -TRIANGLE / 2],
      [-HALF, -TRIANGLE / 2],
    ],
  },
  other: { label: 'other', light: '#6c7278', dark: '#9aa2aa', outline: 'circle' },
};

export const FAMILY_NAMES = Object.keys(FAMILIES) as readonly Family[];

/** Of an op of the graph or a kernel; what a design adds to its name does not matter. */
export function familyOf(op: string): Family {
  const name = op.toLowerCase();
  if (name.includes('norm') && !name.includes('noise')) {
    return name.startsWith('normal') ? 'other' : 'norm';
  }
  if (name.includes('upsampleconv')) return 'upsample';
  if (name.includes('conv') || name.includes('winograd')) return 'conv';
  if (name.includes('attention')) return 'attention';
  if (name.includes('linear') || name.includes('matmul') || name.includes('gemm')) return 'linear';
  return 'other';
}

/** SVG path of a mark of area π·radius². */
export function markPath(family: Family, x: number, y: number, radius: number): string {
  const at = (value: number): string => String(Math.round(100 * value) / 100);
  const { outline } = FAMILIES[family];
  if (outline === 'circle') {
    const r = at(radius);
    return `M${at(x - radius)} ${at(y)}a${r} ${r} 0 1 1 ${at(2 * radius)} 0a${r} ${r} 0 1 1 ${at(-2 * radius)} 0z`;
  }
  const points = outline.map(([px, py]) => `${at(x + px * radius)} ${at(y + py * radius)}`);
  return `M${points.join('L')}z`;
}
