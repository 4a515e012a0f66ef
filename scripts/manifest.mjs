/**
 * `node scripts/manifest.mjs weights/invsr-nano` writes the folder's invsr-manifest.json: its files with
 * sizes and SHA-256, which browsers read before they fetch them (src/weights/hub/manifest.ts).
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { helpIfAsked } from './help.mjs';

helpIfAsked();

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: node scripts/manifest.mjs FOLDER');

const files = {};
for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted()) {
  const path = join(folder, name);
  if (!statSync(path).isFile() || /(?:^|\/)(?:\.|README|LICENSE|invsr-manifest)/.test(name))
    continue;
  const bytes = readFileSync(path);
  const id = createHash('sha256').update(bytes).digest('hex');
  files[name.replaceAll('\\', '/')] = { size: bytes.length, id };
}
const manifest = { model: basename(resolve(folder)), commits: {}, files };
writeFileSync(join(folder, 'invsr-manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
