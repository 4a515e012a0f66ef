/**
 * The text of weights/phase-weights.ts: 16 planes from 9 taps, in the order of its sums, which begin
 * with the top left tap.
 */

/** Taps k0 to k2 that fall on one input pixel, by phase and tap. */
const TAPS = [
  [[0], [1, 2]],
  [[0, 1], [2]],
] as const;

/** Needs `four(row, input, k)`, `store(plane, input, group, sum)`, `rows`, `input` and `group`. */
export function phaseSums(): string {
  const lines = Array.from({ length: 9 }, (_, k) => `  let w${k} = four(4u * rows, input, ${k}u);`);
  let plane = 0;
  for (const phaseY of TAPS) {
    for (const phaseX of TAPS) {
      for (const tapsY of phaseY) {
        for (const tapsX of phaseX) {
          const sum = tapsY.flatMap((y) => tapsX.map((x) => `w${3 * y + x}`)).join(' + ');
          lines.push(`  store(${plane++}u, input, group, ${sum});`);
        }
      }
    }
  }
  return lines.join('\n');
}
