/** Every kernel's conformance cases. A unit test fails when a file of src/kernels is missing here. */
import { cases as affine } from './affine.cases.ts';
import type { KernelCase } from './cases.ts';
import { cases as conv2d } from './conv2d.cases.ts';
import { cases as matmul } from './matmul.cases.ts';
import { cases as upsampleConv2d } from './upsample-conv2d.cases.ts';

export const REGISTRY: Readonly<Record<string, readonly KernelCase[]>> = {
  affine,
  conv2d,
  matmul,
  upsampleConv2d,
};
