/** Before every test file: kernels are made for targets of all kinds (kernels/on-demand.ts). */
import { loadKernels } from '../../src/kernels/on-demand.ts';
import { NVIDIA } from './matrices.ts';

await loadKernels({ family: 'cpu', matrix: NVIDIA });
