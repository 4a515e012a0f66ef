import { defineConfig } from 'vitest/config';

/** Full-size networks: not a tier, see scripts/full.mjs. */
export default defineConfig({
  test: {
    pool: 'forks',
    include: ['test/full/**/*.test.ts'],
    hookTimeout: 120_000,
    setupFiles: 'test/harness/load-kernels.ts',
  },
});
