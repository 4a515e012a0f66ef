/** Every kernel's conformance cases. A unit test fails when a file of src/kernels is missing here. */
import { cases as activation } from './activation.cases.ts';
import { cases as affine } from './affine.cases.ts';
import { cases as attention } from './attention.cases.ts';
import type { KernelCase } from './cases.ts';
import { cases as geglu } from './geglu.cases.ts';
import { cases as groupNorm } from './group-norm.cases.ts';
import { cases as layerNorm } from './layer-norm.cases.ts';
import { cases as softmax } from './softmax.cases.ts';

export const REGISTRY: Readonly<Record<string, readonly KernelCase[]>> = {
  affine,
  attention,
  softmax,
  geglu,
  layerNorm,
  groupNorm,
};
