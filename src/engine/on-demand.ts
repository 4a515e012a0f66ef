/**
 * Code that comes when something first calls for it, so that a page does not load what it never runs
 * (docs/decisions/0010).
 *
 *   const bands = onDemand('bands', () => import(…));
 *
 *   bands.get().band(graph)         throws NotLoadedError until it is there
 *   yield* whenLoaded(() => …)      in work done in slices (slices.ts): waits for what `get` misses
 *   await bands.load()              before work that is done at once
 *
 * What is kept is code, once for all devices, as modules are.
 */
export interface OnDemand<T> {
  /** NotLoadedError until it is there. */
  get(): T;
  load(): Promise<T>;
}

/** Code is missing, and whoever called for it could not wait. */
export class NotLoadedError extends Error {
  override readonly name = 'NotLoadedError';
  /** Gets it. */
  readonly load: () => Promise<unknown>;

  constructor(what: string, load: () => Promise<unknown>) {
    super(
      `${what}: not loaded; make graphs and plans in slices, which wait for it, or load it before (loadPlanner for plans)`,
    );
    this.load = load;
  }
}

/** `what` is the code's name in the error. */
export function onDemand<T>(what: string, load: () => Promise<T>): OnDemand<T> {
  let loaded: T | undefined;
  const get = (): T => {
    if (loaded === undefined) throw new NotLoadedError(what, once);
    return loaded;
  };
  const once = async (): Promise<T> => (loaded ??= await load());
  return { get, load: once };
}
