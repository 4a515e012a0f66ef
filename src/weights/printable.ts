/** A name out of a file that may mean harm, fit for a terminal. */
export const printable = (name: string): string => {
  const plain = name.replaceAll(/[^\x20-\x7e]/g, '?');
  return plain.length > 80 ? `${plain.slice(0, 80)}…` : plain;
};
