/** The conformance cases tagged `perf` as cases of the bench: from a clone only, which has the tests. */
import type { Target } from '../src/engine/kernel.ts';
import { REGISTRY } from '../test/kernels/registry.ts';
import { sizeTextOf } from './case-name.ts';
import type { BenchCase } from './cases.ts';

export const testCases = (target: Target): BenchCase[] =>
  Object.values(REGISTRY)
    .flat()
    .filter(({ tags }) => tags.includes('perf'))
    .map(({ name, inputs, data, kernel }): BenchCase => {
      const made = kernel(target);
      const work = { op: made.name, inputs, constants: {}, output: made.output.type };
      return {
        id: `case ${name}`,
        op: made.name,
        variant: name,
        size: sizeTextOf(work),
        network: 'case',
        count: 1,
        inputs,
        constants: {},
        isMade: true,
        kernel,
        ...(data && { data }),
      };
    });
