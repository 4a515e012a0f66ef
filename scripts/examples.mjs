/**
 * `npm run examples` lists the examples; `-- NAME` builds one and serves it on localhost, anew from its
 * sources at every reload; `-- NAME --out FOLDER` writes it for any static server. Those of Node and Deno run at
 * once, with the arguments after their name.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { installIfNeeded } from './install.mjs';
import { helpIfAsked } from './help.mjs';

const isPage = (name) => existsSync(`examples/${name}/index.html`);

const names = readdirSync('examples').filter((name) => existsSync(`examples/${name}/main.ts`));

/** The first sentence of its main file. */
const about = (name) =>
  /^\/\*\*([^]*?\.)\s/
    .exec(readFileSync(`examples/${name}/main.ts`, 'utf8'))?.[1]
    .replaceAll(/[\s*]+/g, ' ')
    .trim();

const filesOf = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

const withoutEnding = (path) => path.replace(/\.[^./]+$/, '');

/** esbuild's options for the site of one example: page, script, pictures and the embedded model. */
const site = (name, outdir) => ({
  entryPoints: [
    ...readdirSync(`examples/${name}`)
      .filter((file) => /^main\.ts$|\.html$/.test(file))
      .map((file) => ({ in: `examples/${name}/${file}`, out: withoutEnding(file) })),
    ...(name === 'worker' ? [{ in: 'invsr-webgpu/worker-script', out: 'worker' }] : []),
    { in: 'examples/style.css', out: 'style' },
    ...filesOf('examples/images').map((path) => ({
      in: path,
      out: withoutEnding(path.replace('examples/', '')),
    })),
    ...filesOf('weights/invsr-nano').map((path) => ({ in: path, out: withoutEnding(path) })),
  ],
  outdir,
  bundle: true,
  format: 'esm',
  target: 'es2023',
  minify: true,
  keepNames: true,
  sourcemap: 'linked',
  loader: Object.fromEntries(
    ['.html', '.png', '.jpg', '.json', '.safetensors', '.md'].map((ending) => [ending, 'copy']),
  ),
  logLevel: 'warning',
});

async function runInNode(name, args) {
  const { build } = await import('esbuild');
  const outfile = `.cache/examples/${name}.mjs`;
  await build({
    entryPoints: [`examples/${name}/main.ts`],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    // tsconfig's paths come first.
    packages: 'external',
    logLevel: 'warning',
  });
  const child = spawn(process.execPath, [outfile, ...args], { stdio: 'inherit' });
  // Ctrl-C reaches both; what it means is for the example to say.
  process.on('SIGINT', () => {});
  child.once('exit', (code) => (process.exitCode = code ?? 1));
}

/** It needs no bundle: the package is found by its own name. `deno` is npm's here, or the system's. */
function runInDeno(name, args) {
  if (!existsSync('dist/browser')) throw new Error('`npm run build` first');
  const options = ['run', '--allow-all', '--unstable-webgpu', `examples/${name}/main.ts`];
  const child = spawn('deno', [...options, ...args], { stdio: 'inherit' });
  child.once('error', ({ message }) => {
    console.error(`Deno does not start: ${message}`);
    process.exitCode = 2;
  });
  child.once('exit', (code) => (process.exitCode = code ?? 1));
}

async function main([name, ...rest]) {
  helpIfAsked();
  installIfNeeded();
  if (name === undefined) {
    for (const name of names) console.log(`${name.padEnd(14)}${about(name)}`);
    return;
  }
  if (!names.includes(name)) throw new Error(`no example ${name}; there are ${names.join(', ')}`);
  if (name === 'deno') return runInDeno(name, rest);
  if (!isPage(name)) return runInNode(name, rest);
  const { out, port } = parseArgs({
    args: rest,
    options: { out: { type: 'string' }, port: { type: 'string', default: '8644' } },
  }).values;
  const { build, context } = await import('esbuild');
  if (out) {
    await build(site(name, out));
    console.log(`written to ${out}`);
    return;
  }
  // Nothing is written: esbuild answers from memory.
  const servedir = `.cache/examples/${name}`;
  const server = await context({ ...site(name, servedir), write: false });
  const { port: got } = await server.serve({ servedir, host: '127.0.0.1', port: Number(port) });
  console.log(`http://localhost:${got}/  (Ctrl-C ends)`);
}

await main(process.argv.slice(2)).catch((error) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
});
