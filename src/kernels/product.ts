/** The ops that are matrix products, by name: what rewrites of them have in common. */
import { conv2dGemm, type Conv2dConstants, type Conv2dInputs } from './conv2d.ts';
import type { ImplicitGemm } from './gemm-program.ts';
import { linearGemm, type LinearConstants } from './linear.ts';
import { upsampleConv2dGemm, type UpsampleConv2dConstants } from './upsample-conv2d.ts';

/** A node's op with its constants. */
export type Product =
  | { readonly op: 'linear'; readonly constants: LinearConstants }
  | { readonly op: 'conv2d'; readonly constants: Conv2dConstants }
  | { readonly op: 'upsampleConv2d'; readonly constants: UpsampleConv2dConstants };

/** Inputs that the op lacks are left out of the product. */
export function gemmOf({ op, constants }: Product, inputs: Conv2dInputs): ImplicitGemm {
  switch (op) {
    case 'linear':
      return linearGemm(inputs, constants);
    case 'conv2d':
      return conv2dGemm(inputs, constants);
    case 'upsampleConv2d':
      return upsampleConv2dGemm(inputs, constants);
  }
}
