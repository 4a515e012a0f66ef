/** demo/viewer/dev as a static page. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'vite';
import { serve, type Served } from './serve.ts';

export async function serveViewer(): Promise<Served> {
  const outDir = mkdtempSync(join(tmpdir(), 'invsr-viewer-'));
  await build({
    configFile: false,
    logLevel: 'warn',
    root: 'demo/viewer/dev',
    build: { outDir, emptyOutDir: true, target: 'es2023' },
  });
  const server = await serve(outDir);
  return {
    ...server,
    async close() {
      await server.close();
      rmSync(outDir, { recursive: true });
    },
  };
}
