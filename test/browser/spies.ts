/** What happens on the devices of a page, whoever does it. Imported before anything is called. */

/** Counts since the page began; whoever looks may set them to zero. */
export const seen = {
  /** `mapAsync` of any buffer. */
  maps: 0,
  submits: 0,
  /** Submits of nothing: of engine/nudge.ts. */
  asks: 0,
  /** Submits that are not done. */
  underWay: 0,
  /** Called after each submit. */
  submitted: undefined as (() => void) | undefined,
};

const objects = new Set<GPUBuffer | GPUTexture>();

/** Labels of buffers and textures of the library that were made and not destroyed. */
export const alive = (): string[] =>
  [...objects].map(({ label }) => label).filter((label) => label.startsWith('invsr/'));

/** Has `see` called after each call of a method. */
function watch(
  prototype: object,
  method: string,
  see: (self: unknown, result: unknown, ...args: unknown[]) => void,
): void {
  const original = Reflect.get(prototype, method) as (...args: unknown[]) => unknown;
  Reflect.set(prototype, method, function (this: unknown, ...args: unknown[]): unknown {
    const result = original.apply(this, args);
    see(this, result, ...args);
    return result;
  });
}

if ('gpu' in navigator && 'GPUDevice' in globalThis) {
  watch(GPUBuffer.prototype, 'mapAsync', () => seen.maps++);
  watch(GPUQueue.prototype, 'submit', (queue, _, commands) => {
    if ((commands as readonly unknown[]).length === 0) {
      seen.asks++;
      return;
    }
    seen.submits++;
    seen.underWay++;
    const done = (): void => void seen.underWay--;
    (queue as GPUQueue).onSubmittedWorkDone().then(done, done);
    seen.submitted?.();
  });
  for (const method of ['createBuffer', 'createTexture']) {
    watch(GPUDevice.prototype, method, (_, made) => objects.add(made as GPUBuffer));
  }
  for (const { prototype } of [GPUBuffer, GPUTexture]) {
    watch(prototype, 'destroy', (object) => objects.delete(object as GPUBuffer));
  }
}
