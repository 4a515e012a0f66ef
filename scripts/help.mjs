import { readFileSync } from 'node:fs';

/** With `--help` first, prints the header of the script that was started, and ends; later words may be meant for what it starts. */
export function helpIfAsked() {
  if (!['--help', '-h'].includes(process.argv[2])) return;
  const [, header = ''] = /\/\*\*([^]*?)\*\//.exec(readFileSync(process.argv[1], 'utf8')) ?? [];
  console.log(header.replaceAll(/^ \* ?/gm, '').trim());
  process.exit();
}
