/** Axes: values to pixels, ticks, and figures as people write them. */

export type Scale = (value: number) => number;

export type Range = readonly [low: number, high: number];

/** Logarithmic; values at or below 0 land far outside, so clamp before. */
export const logScale = ([low, high]: Range, [from, to]: Range): Scale => {
  const width = Math.log10(high) - Math.log10(low);
  return (value) => from + ((Math.log10(value) - Math.log10(low)) / width) * (to - from);
};

/** 1, 2 and 5 times powers of ten in the range; the powers alone where it spans more than `all` of them. */
export function logTicks([low, high]: Range, all = 2): number[] {
  const first = Math.floor(Math.log10(low));
  const last = Math.ceil(Math.log10(high));
  const steps = Math.log10(high / low) > all ? [1] : [1, 2, 5];
  return Array.from({ length: last - first + 1 }, (_, i) => i + first)
    .flatMap((power) => steps.map((step) => Number(`${step}e${power}`)))
    .filter((tick) => tick >= low && tick <= high);
}

/** About `count` round steps from 0. */
export function linearTicks(high: number, count: number): number[] {
  const raw = high / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find((multiple) => multiple * power >= raw) ?? 10);
  return Array.from({ length: Math.floor(high / step) + 1 }, (_, i) => i * step);
}

/** Three significant digits: 0.0123, 1.23, 123, 1230. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (value === 0) return '0';
  const decimals = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(decimals, 4));
}

/** A tick's label: `0.5`, `20`, `5k`. */
export const tickLabel = (value: number): string =>
  value >= 1000 ? `${value / 1000}k` : String(value);

/** `850 GFLOP/s`, `60.0 TFLOP/s` */
export const flopRate = (gflops: number): string =>
  gflops >= 1000 ? `${figure(gflops / 1000)} TFLOP/s` : `${figure(gflops)} GFLOP/s`;

/** `412 GB/s`, `4.10 TB/s` */
export const byteRate = (gbytes: number): string =>
  gbytes >= 1000 ? `${figure(gbytes / 1000)} TB/s` : `${figure(gbytes)} GB/s`;

/** `1.23 s`, `12.3 ms`, `45.0 µs` */
export function duration(milliseconds: number): string {
  if (milliseconds >= 1000) return `${figure(milliseconds / 1000)} s`;
  return milliseconds >= 1 || milliseconds === 0
    ? `${figure(milliseconds)} ms`
    : `${figure(milliseconds * 1000)} µs`;
}

/** `34 %`, `3.4 %` */
export const percent = (share: number): string =>
  `${share >= 0.1 || share === 0 ? Math.round(100 * share) : figure(100 * share)} %`;

/** `11×`, `9.0×`, `0.92×` */
export const times = (ratio: number): string =>
  `${ratio >= 10 ? Math.round(ratio) : ratio.toPrecision(2)}×`;
