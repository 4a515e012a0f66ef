/** demo/viewer/dev as a static page. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { build } from 'esbuild';
import { serve, type Served } from './serve.ts';

const FILES = ['dev/index.html', 'dev/dev.css', 'viewer.css'];

export async function serveViewer(): Promise<Served> {
  const folder = mkdtempSync(join(tmpdir(), 'invsr-viewer-'));
  await build({
    entryPoints: ['demo/viewer/dev/main.ts'],
    outdir: folder,
    bundle: true,
    format: 'esm',
    target: 'es2023',
    logLevel: 'warning',
  });
  for (const file of FILES) {
    copyFileSync(join('demo/viewer', file), join(folder, basename(file)));
  }
  const server = await serve(folder);
  return {
    url: server.url,
    async close() {
      await server.close();
      rmSync(folder, { recursive: true });
    },
  };
}
