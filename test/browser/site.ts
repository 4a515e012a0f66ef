/** A page with a script of this folder, the tiny model and the embedded one, served. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { build } from 'esbuild';
import { concatBytes, safetensorsParts } from '../../src/weights/safetensors-write.ts';
import { serve, type Served } from '../harness/serve.ts';
import { anyPrompt, tinyFiles } from '../harness/synthetic.ts';

/** Files of a model on the page's server. */
export interface ServedModel {
  readonly path: string;
  readonly files: readonly string[];
}

export interface Site extends Served {
  /** The bundled script's path. */
  readonly script: string;
  readonly tiny: ServedModel;
  readonly nano: ServedModel;
}

const NANO = 'weights/invsr-nano';

/** `script` is a module of this folder. */
export async function serveSite(script: string): Promise<Site> {
  const folder = mkdtempSync(join(tmpdir(), 'invsr-site-'));
  const write = (file: string, content: string | Uint8Array): void => {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), content);
  };
  write(
    'index.html',
    `<!doctype html><title>${script}</title><link rel="icon" href="data:,"><script type="module" src="page.js"></script>`,
  );
  await build({
    entryPoints: { page: join('test/browser', script) },
    outdir: folder,
    bundle: true,
    format: 'esm',
    target: 'es2023',
    logLevel: 'warning',
  });
  // Goldens bring their own prompt.
  const prompt = concatBytes(safetensorsParts(anyPrompt));
  const tiny = tinyFiles().set('prompt_embeds.safetensors', prompt);
  for (const [file, bytes] of tiny) write(join('tiny', file), bytes);
  symlinkSync(resolve(NANO), join(folder, 'nano'));
  const nano = readdirSync(NANO, { recursive: true, encoding: 'utf8' }).filter((file) =>
    statSync(join(NANO, file)).isFile(),
  );
  const served = await serve(folder);
  return {
    ...served,
    script: join(folder, 'page.js'),
    tiny: { path: 'tiny/', files: [...tiny.keys()] },
    nano: { path: 'nano/', files: nano },
    close: async () => {
      await served.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
