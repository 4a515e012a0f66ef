import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What takes minutes comes first, or one worker ends with it while the other has nothing left. */
class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- no array's
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification): boolean =>
      /conformance-|golden\/(end-to-end|rewrites)|browser\/invsr/.test(moduleId);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

/**
 * One project per tier; see docs/architecture.md. dawn.node is a native addon, hence forks. `library` and `cli`
 * load code when it is needed, as applications do (docs/decisions/0010).
 */
const tier = (
  name: string,
  options: { timeout?: number; setup?: string; makesKernels?: boolean } = {},
) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: options.timeout ?? 60_000, // on a busy machine
    hookTimeout: 120_000,
    ...(options.setup !== undefined && { globalSetup: options.setup }),
    setupFiles: [
      'test/harness/typed-arrays.ts',
      ...(options.makesKernels ? ['test/harness/load-kernels.ts'] : []),
    ],
  },
});

export default defineConfig({
  test: {
    pool: 'forks',
    // Two cores: while one file waits for a compiler, which has one thread, another computes.
    maxWorkers: 2,
    sequence: { sequencer: LongFirst },
    projects: [
      tier('unit', { makesKernels: true }),
      tier('wgsl', { makesKernels: true }),
      tier('plan', { makesKernels: true }),
      tier('kernels', { timeout: 300_000, makesKernels: true }),
      tier('golden', { timeout: 600_000, makesKernels: true }),
      tier('library', { timeout: 120_000 }),
      tier('browser', { timeout: 120_000, makesKernels: true }),
      tier('wgpu', { timeout: 300_000, makesKernels: true }),
      tier('cli', { timeout: 300_000, setup: 'test/cli/build.ts' }),
    ],
  },
});
