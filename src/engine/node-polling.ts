/**
 * Keeps Node's main thread from spinning while a software adapter computes.
 *
 * dawn.node polls for completion on every turn of the event loop as long as a promise of its own is
 * pending, which keeps one core busy: the core that the rasteriser needs. While such a promise is
 * pending, `quietPolling` makes each turn sleep a millisecond. Only for devices of our own; on a GPU
 * the core has nothing better to do.
 */
const SLEEP_MS = 1;

const cell = new Int32Array(new SharedArrayBuffer(4));

let pending = 0;
let isTurning = false;

function turn(): void {
  isTurning = pending > 0;
  if (!isTurning) return;
  Atomics.wait(cell, 0, 0, SLEEP_MS);
  setImmediate(turn);
}

function quiet<T>(promise: Promise<T>): Promise<T> {
  pending++;
  if (!isTurning) {
    isTurning = true;
    setImmediate(turn);
  }
  return promise.finally(() => pending--);
}

/** Applies to the two things worth waiting for: submitted work and pipelines. */
export function quietPolling(device: GPUDevice): void {
  const { queue } = device;
  const workDone = queue.onSubmittedWorkDone.bind(queue);
  const compile = device.createComputePipelineAsync.bind(device);
  queue.onSubmittedWorkDone = () => quiet(workDone());
  device.createComputePipelineAsync = (descriptor) => quiet(compile(descriptor));
}
