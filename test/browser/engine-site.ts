/** A page with the engine (engine-page.ts), the tiny model and the embedded one, served. */
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
import { serve, type Served } from '../harness/serve.ts';
import { tinyFiles } from '../harness/synthetic.ts';
import type { ServedModel } from './engine-page.ts';

export interface EngineSite extends Served {
  readonly tiny: ServedModel;
  readonly nano: ServedModel;
}

const NANO = 'weights/invsr-nano';

export async function serveEngine(): Promise<EngineSite> {
  const folder = mkdtempSync(join(tmpdir(), 'invsr-engine-page-'));
  const write = (file: string, content: string | Uint8Array): void => {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), content);
  };
  write(
    'index.html',
    `<!doctype html><title>engine</title><link rel="icon" href="data:,"><script type="module" src="page.js"></script>`,
  );
  await build({
    entryPoints: { page: 'test/browser/engine-page.ts' },
    outdir: folder,
    bundle: true,
    format: 'esm',
    target: 'es2023',
    logLevel: 'warning',
  });
  const tiny = tinyFiles();
  for (const [file, bytes] of tiny) write(join('tiny', file), bytes);
  symlinkSync(resolve(NANO), join(folder, 'nano'));
  const nano = readdirSync(NANO, { recursive: true, encoding: 'utf8' }).filter((file) =>
    statSync(join(NANO, file)).isFile(),
  );
  const served = await serve(folder);
  return {
    url: served.url,
    tiny: { path: 'tiny/', files: [...tiny.keys()] },
    nano: { path: 'nano/', files: nano },
    close: async () => {
      await served.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
