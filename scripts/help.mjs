import { readFileSync } from 'node:fs';

/** With `--help`, prints the header of the script that was started, and ends. */
export function helpIfAsked() {
  if (!process.argv.slice(2).some((word) => word === '--help' || word === '-h')) return;
  const [, header = ''] = /\/\*\*([^]*?)\*\//.exec(readFileSync(process.argv[1], 'utf8')) ?? [];
  console.log(header.replaceAll(/^ \* ?/gm, '').trim());
  process.exit();
}
