/** Before every test file: kernels and plans are made by hand, for targets of all kinds (kernels/on-demand.ts). */
import { loadPlanner } from '../../src/graph/lower.ts';
import { NVIDIA } from './matrices.ts';

await loadPlanner({ family: 'cpu', matrix: NVIDIA });
