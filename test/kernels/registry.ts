/** Every kernel's conformance cases. A unit test fails when a file of src/kernels is missing here. */
import { cases as affine } from './affine.cases.ts';
import type { KernelCase } from './cases.ts';

export const REGISTRY: Readonly<Record<string, readonly KernelCase[]>> = { affine };
