/** onnxruntime's WebGPU provider beside ours: the worker process and what is asked of it. */
import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { type Capabilities, nameOf } from '../../src/engine/device.ts';
import { lavapipeIcd, swiftShaderFolder } from '../../src/engine/swiftshader.ts';
import { toSingle } from '../../src/weights/half.ts';
import type { Feed } from './op-graph.ts';

/** Which of the provider's two tensor layouts a session computes in. */
export type OrtLayout = 'NHWC' | 'NCHW';

/** One network or op on a peer. */
export interface PeerNetwork {
  readonly note: string;
  /** Wall time with upload and readback; `values` NCHW. */
  run(): Promise<{ readonly milliseconds: number; readonly values: Float32Array }>;
  /** Of a profiled one, GPU times of every run so far; asked for once, after the last run. */
  timings(): Promise<readonly (readonly PeerKernel[])[]>;
  close(): Promise<void>;
}

/** One dispatch of the peer's. */
export interface PeerKernel {
  readonly node: string;
  readonly op: string;
  readonly program: string;
  readonly milliseconds: number;
}

export interface Ort {
  /** `best`: compiles both layouts, and keeps the one that is faster at its best of two runs. */
  open(model: Uint8Array, options: OrtOptions): Promise<PeerNetwork>;
  /** One layout, with the GPU time of every kernel kept where `isProfiled`. */
  openLayout(model: Uint8Array, options: SessionOptions): Promise<PeerNetwork>;
  /** Vulkan drivers loaded into its process, where the system tells. */
  drivers(): Promise<string[]>;
  /** False once its process has ended. */
  readonly isAlive: boolean;
  /** Ends the process, whatever it is at. */
  dispose(): void;
}

export interface OrtOptions {
  readonly feeds: Readonly<Record<string, Feed>>;
  readonly layout: OrtLayout | 'best';
}

export interface SessionOptions {
  readonly feeds: OrtOptions['feeds'];
  readonly layout: OrtLayout;
  readonly isProfiled?: boolean;
  /** Refuses graphs of which nodes would run on the CPU provider. @default they run, and `note` says it */
  readonly isStrict?: boolean;
}

const PACKAGE = 'bench/peers/node_modules/onnxruntime-node';

/** Refuses where the peer is not installed; asked before anything is timed. */
export function expectOrt(): void {
  if (existsSync(PACKAGE)) return;
  throw new Error(
    '--peer ort: onnxruntime-node is not installed; run npm ci --prefix bench/peers --ignore-scripts (290 MB unpacked)',
  );
}

/** Starts it on the adapter that `capabilities` describes, as far as it can be told which. */
export async function startOrt(capabilities: Capabilities): Promise<Ort> {
  const child = fork('bench/peers/ort-worker.mjs', {
    env: { ...process.env, ...(await driverVariables(capabilities)) },
    execArgv: [],
    serialization: 'advanced',
  });
  const ask = conversation(child);
  let count = 0;

  async function openLayout(
    model: Uint8Array,
    { feeds, layout, isProfiled = false, isStrict = false }: SessionOptions,
  ): Promise<PeerNetwork> {
    const key = `session ${count++}`;
    let nodes = 'all nodes on WebGPU';
    const session = { key, model, layout, feeds, isProfiled };
    try {
      await ask('open', { ...session, isStrict: true });
    } catch (error) {
      if (isStrict || !(error instanceof Error && error.message.includes('fallback'))) throw error;
      nodes = 'some nodes on the CPU provider';
      await ask('open', { ...session, isStrict: false });
    }
    return {
      note: `${layout}, ${nodes}`,
      async run() {
        const { milliseconds, values } = (await ask('run', { key })) as {
          milliseconds: number;
          values: Float32Array | Uint16Array;
        };
        return { milliseconds, values: values instanceof Uint16Array ? toSingle(values) : values };
      },
      timings: async () => ((await ask('timings', { key })) as { runs: PeerKernel[][] }).runs,
      close: async () => {
        await ask('close', { key });
      },
    };
  }

  return {
    async open(model, { feeds, layout }) {
      if (layout !== 'best') return openLayout(model, { feeds, layout });
      const timed: { network: PeerNetwork; milliseconds: number }[] = [];
      for (const each of ['NHWC', 'NCHW'] as const) {
        const network = await openLayout(model, { feeds, layout: each });
        await network.run(); // compiles
        const runs = [await network.run(), await network.run()];
        const milliseconds = Math.min(...runs.map((run) => run.milliseconds));
        timed.push({ network, milliseconds });
      }
      const [best, ...others] = timed.toSorted((a, b) => a.milliseconds - b.milliseconds);
      if (!best) throw new Error('no layout');
      for (const { network } of others) await network.close();
      return best.network;
    },
    drivers: async () => ((await ask('info', {})) as { drivers: string[] }).drivers,
    openLayout,
    get isAlive() {
      return child.exitCode === null && child.signalCode === null && !child.killed;
    },
    dispose: () => child.kill(),
  };
}

/** Requests and answers by number; a dead worker fails all that are open. */
function conversation(
  child: ChildProcess,
): (command: string, argument: object) => Promise<unknown> {
  const open = new Map<number, { resolve: (v: unknown) => void; reject: (e: Error) => void }>();
  let next = 0;
  let ended: Error | undefined;
  const end = (error: Error): void => {
    ended ??= error;
    for (const { reject } of open.values()) reject(ended);
    open.clear();
  };
  child.on('message', (message: { id: number; answer?: unknown; error?: string }) => {
    const request = open.get(message.id);
    open.delete(message.id);
    if (open.size === 0) child.channel?.unref();
    if (message.error === undefined) request?.resolve(message.answer);
    else request?.reject(new Error(`onnxruntime: ${message.error}`));
  });
  // A worker that is asked nothing keeps no process alive.
  child.unref();
  child.channel?.unref();
  child.on('exit', (code, signal) => {
    end(new Error(`onnxruntime's process ended (${signal ?? `code ${code}`})`));
  });
  child.on('error', end);
  return (command, argument) =>
    new Promise((resolve, reject) => {
      if (ended) {
        reject(ended);
        return;
      }
      open.set(next, { resolve, reject });
      child.channel?.ref();
      child.send({ id: next++, command, argument });
    });
}

/**
 * The Vulkan loader's choice for software adapters. On a GPU nothing is set: both sides ask for the
 * high-performance adapter.
 */
async function driverVariables(capabilities: Capabilities): Promise<Record<string, string>> {
  if (!capabilities.isSoftware || process.platform !== 'linux') return {};
  const folder = await swiftShaderFolder();
  const isSwiftShader = /swiftshader/i.test(`${capabilities.architecture} ${nameOf(capabilities)}`);
  const icd = isSwiftShader && folder ? `${folder}/vk_swiftshader_icd.json` : lavapipeIcd();
  if (icd === undefined) return {};
  // The bundled loader comes last, for systems without one.
  const libraries = [process.env['LD_LIBRARY_PATH'], folder].filter(Boolean).join(':');
  return { VK_DRIVER_FILES: icd, VK_ICD_FILENAMES: icd, LD_LIBRARY_PATH: libraries };
}
