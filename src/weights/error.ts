/** A weight file is missing, damaged or not what the model needs. The message names the file. */
export class CheckpointError extends Error {
  override readonly name = 'CheckpointError';
}

/** `1,244,478` — the same in every locale. */
export const grouped = (value: number): string => value.toLocaleString('en-US');
