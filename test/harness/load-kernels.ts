/** Before every test file: kernels are made for targets of all kinds (kernels/on-demand.ts). */
import { loadKernels } from '../../src/kernels/on-demand.ts';

await loadKernels({ family: 'cpu', matrix: { m: 16, n: 16, k: 16 } });
