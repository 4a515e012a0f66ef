/**
 * The networks of an instance, by the options that need others. The latest two kinds stay: on the device where
 * they were used, else as plans, which take megabytes of the host's memory each and which a dial asks for
 * at every turn.
 */
import type { EngineContext } from '../engine/context.ts';
import type { Model } from '../invsr/model.ts';
import { TileNetworks } from '../invsr/tile-networks.ts';
import type { Settings } from './plan-call.ts';

/** So that two kinds of options in turn cost nothing. */
const KEPT = 2;

export class KeptNetworks {
  readonly #context: EngineContext;
  readonly #model: Model;
  /** The latest asked for last. */
  readonly #kinds = new Map<string, TileNetworks>();
  /** Of the call under way, or of the last one. */
  #used: TileNetworks | undefined;

  constructor(context: EngineContext, model: Model) {
    this.#context = context;
    this.#model = model;
  }

  /** The networks for these options, to plan with; at any time. */
  find(settings: Settings): TileNetworks {
    const { timesteps, tile, cfg } = settings;
    const key = JSON.stringify({ timesteps, tile, cfg });
    const networks = this.#kinds.get(key) ?? new TileNetworks(this.#context, this.#model, settings);
    this.#kinds.delete(key);
    this.#kinds.set(key, networks);
    this.#trim((old) => old !== networks && old !== this.#used && !old.isOnDevice);
    return networks;
  }

  /** The same, to run; while no other call does. */
  use(settings: Settings): TileNetworks {
    const networks = this.find(settings);
    this.#used = networks;
    this.#trim(() => true);
    return networks;
  }

  /** Frees all; while no call runs. */
  dispose(): void {
    for (const networks of this.#kinds.values()) networks.dispose();
    this.#kinds.clear();
  }

  /** Down to so many as stay, the longest unused first. */
  #trim(mayGo: (networks: TileNetworks) => boolean): void {
    for (const [key, networks] of this.#kinds) {
      if (this.#kinds.size <= KEPT) break;
      if (!mayGo(networks)) continue;
      networks.dispose();
      this.#kinds.delete(key);
    }
  }
}
