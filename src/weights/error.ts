/** A weight file is missing, damaged or not what the model needs. The message names the file. */
export class CheckpointError extends Error {
  override readonly name = 'CheckpointError';
}

/** `1,244,478` — the same in every locale. */
export const grouped = (value: number): string => value.toLocaleString('en-US');

/** A name out of a file that may mean harm, fit for a terminal. */
export const printable = (name: string): string => {
  const plain = name.replaceAll(/[^\x20-\x7e]/g, '?');
  return plain.length > 80 ? `${plain.slice(0, 80)}…` : plain;
};
