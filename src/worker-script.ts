/**
 * `invsr-webgpu/worker-script`: what the worker of `invsr-webgpu/worker` runs. A script, not a module to
 * import from.
 */
import { serve } from './library/worker.ts';

serve(self);
