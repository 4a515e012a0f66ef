/** Collects measured errors for docs/numerics.md when INVSR_NUMERICS names a file (scripts/numerics.mjs). */
import { appendFileSync } from 'node:fs';

export interface NumericsRow {
  readonly what: string;
  readonly adapter: string;
  readonly precision: string;
  /** Largest rms error over the reference's standard deviation. */
  readonly error?: number;
  /** Of the 8-bit image. */
  readonly psnr?: number;
}

/** Then every case runs on every adapter, as the document's table has them. */
export const isRecording = Boolean(process.env['INVSR_NUMERICS']);

export function record(row: NumericsRow): void {
  const file = process.env['INVSR_NUMERICS'];
  if (file) appendFileSync(file, `${JSON.stringify(row)}\n`);
}
